"""Instructor in its JSON modes."""

from clients.contract import AnswerContract, PersistenceContract, errors_of


class TestInstructor(AnswerContract, PersistenceContract):
    client = "instructor"
    verbs = ("answer", "answer_json", "answer_async")
    errors = errors_of(status="InstructorRetryException", stream="")
