"""The messages of the server itself to the users of a channel."""

import enum
from collections.abc import Mapping

_DEFAULT = "en"


class Notice(enum.StrEnum):
    """A message of the server."""

    APOLOGY = "apology"
    DELAY = "delay"
    LIMITED = "limited"
    HELP = "help"
    START = "start"
    NEW = "new"
    PAIRING = "pairing"


_TEXTS: Mapping[str, Mapping[Notice, str]] = {
    "en": {
        Notice.APOLOGY: "Sorry, I can't answer this message.",
        Notice.DELAY: "This takes longer than usual. I'll answer as soon as I can.",
        Notice.LIMITED: "You have sent many messages. Please wait a few minutes.",
        Notice.HELP: "Write a message to talk to me. {prefix}new starts a new conversation.",
        Notice.START: "Hello! Write a message to talk to me. {prefix}new starts a new conversation.",
        Notice.NEW: "This is a new conversation.",
        Notice.PAIRING: "To talk to me, give this code to an administrator: {code}",
    },
    "de": {
        Notice.APOLOGY: "Diese Nachricht kann ich leider nicht beantworten.",
        Notice.DELAY: "Das dauert länger als sonst. Ich antworte, sobald ich kann.",
        Notice.LIMITED: "Das waren viele Nachrichten. Bitte warten Sie ein paar Minuten.",
        Notice.HELP: "Schreiben Sie mir eine Nachricht. {prefix}new beginnt ein neues Gespräch.",
        Notice.START: "Hallo! Schreiben Sie mir eine Nachricht. {prefix}new beginnt ein neues Gespräch.",
        Notice.NEW: "Das ist ein neues Gespräch.",
        Notice.PAIRING: "Geben Sie diesen Code an jemanden aus der Administration weiter: {code}",
    },
    "fr": {
        Notice.APOLOGY: "Désolé, je ne peux pas répondre à ce message.",
        Notice.DELAY: "Cela prend plus de temps que d'habitude. Je réponds dès que possible.",
        Notice.LIMITED: "Vous avez envoyé beaucoup de messages. Veuillez patienter quelques minutes.",
        Notice.HELP: "Écrivez-moi un message. {prefix}new commence une nouvelle conversation.",
        Notice.START: "Bonjour ! Écrivez-moi un message. {prefix}new commence une nouvelle conversation.",
        Notice.NEW: "Voici une nouvelle conversation.",
        Notice.PAIRING: "Pour me parler, donnez ce code à un administrateur : {code}",
    },
    "es": {
        Notice.APOLOGY: "Lo siento, no puedo responder a este mensaje.",
        Notice.DELAY: "Esto tarda más de lo habitual. Responderé en cuanto pueda.",
        Notice.LIMITED: "Ha enviado muchos mensajes. Espere unos minutos, por favor.",
        Notice.HELP: "Escríbame un mensaje. {prefix}new comienza una nueva conversación.",
        Notice.START: "¡Hola! Escríbame un mensaje. {prefix}new comienza una nueva conversación.",
        Notice.NEW: "Esta es una nueva conversación.",
        Notice.PAIRING: "Para hablar conmigo, dé este código a un administrador: {code}",
    },
}


def notice_text(notice: Notice, language: str | None, **values: str) -> str:
    """Returns a notice in a language, or in English if there is no translation.

    Args:
        notice: The notice.
        language: A BCP 47 tag, or None if unknown.
        values: The values of the placeholders.
    """
    known = _TEXTS.get((language or _DEFAULT).lower().partition("-")[0], _TEXTS[_DEFAULT])
    return known[notice].format(**values)
