"""Small PDF documents."""


def pdf(*pages: str) -> bytes:
    """Returns a PDF with a line of text on each page."""
    return assembled(_objects_of(pages))


def protected_pdf(*pages: str) -> bytes:
    """Returns a PDF that a password protects, which nobody knows."""
    objects = _objects_of(pages)
    unknown = "00" * 32
    objects.append(f"<< /Filter /Standard /V 1 /R 2 /O <{unknown}> /U <{unknown}> /P -4 >>")
    return assembled(objects, f"/Encrypt {len(objects)} 0 R /ID [<{'11' * 16}> <{'11' * 16}>]")


def assembled(objects: list[str], trailer: str = "") -> bytes:
    """Returns a PDF of these objects.

    Args:
        objects: The objects; the first one is the catalog.
        trailer: Further entries of the trailer.
    """
    body, offsets = "%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{text}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    return (
        f"{body}xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R {trailer}>>\n"
        f"startxref\n{len(body)}\n%%EOF\n"
    ).encode("latin-1")


def _objects_of(pages: tuple[str, ...]) -> list[str]:
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET" if text else ""
        resources = "/Resources << /Font << /F1 3 0 R >> >>"
        page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R {resources} >>"
        objects += [page, f"<< /Length {len(content)} >>\nstream\n{content}\nendstream"]
    return objects
