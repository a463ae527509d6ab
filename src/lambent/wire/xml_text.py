"""XML text: parsed without DTDs, so that nothing expands; written with everything escaped."""

import re
from xml.etree import ElementTree as ET

from lambent.model.errors import ClientFault

Element = ET.Element

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#xD;"}
_ESCAPED = re.compile('[&<>"\r]')
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


def parse_xml(body: bytes) -> Element:
    """The root element of ``body``, read as UTF-8.

    Raises 400 ``MalformedXML`` for anything else, a document type included.
    """
    # A NUL is how UTF-16 would show itself, in which a document type could hide from the next test.
    if b"<!DOCTYPE" in body or b"\x00" in body:
        raise malformed()
    parser = ET.XMLParser(encoding="utf-8")  # noqa: S314 - no DTD, so no entities of its own
    try:
        parser.feed(body)
        return parser.close()
    except (ET.ParseError, ValueError):
        raise malformed() from None


def malformed() -> ClientFault:
    """400 ``MalformedXML`` in S3's words."""
    return ClientFault(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
        400,
    )


def local_name(tag: str) -> str:
    """``{namespace}Name`` → ``Name``."""
    return tag.rpartition("}")[2]


def escape(text: str) -> str:
    """``text`` for an element or a quoted attribute; characters XML has no place for become
    U+FFFD."""
    if _NOT_XML.search(text):
        text = _NOT_XML.sub("\ufffd", text)
    return _ESCAPED.sub(lambda found: _ESCAPES[found[0]], text)
