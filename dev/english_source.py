"""Reads the prose of sources for english.py: comments, documentation, string literals; and wraps comments."""

import re
import textwrap
from dataclasses import dataclass

RUST = re.compile(
    r"""(?P<line>//[^\n]*)
      | (?P<block>/\*.*?\*/)
      | (?P<raw>[bc]?r(?P<fence>\#*)".*?"(?P=fence))
      | (?P<text>[bc]?"(?:\\.|[^"\\])*")
      | (?P<char>b?'(?:\\(?:u\{[0-9a-fA-F_]+\}|x[0-9a-fA-F]{2}|.)|[^\\'\n])')
    """,
    re.VERBOSE | re.DOTALL,
)
ITEM = re.compile(r"^\s*(?:pub(?:\([^)]*\))?\s+)?(?:default\s+)?(?:const\s+)?(?:async\s+)?(?:unsafe\s+)?fn\s+(\w+)")
TEST = re.compile(r"^\s*#\[(?:tokio::)?test\b")


@dataclass(frozen=True)
class Piece:
    """A piece of prose: `kind` is doc, comment, text, error, fn or test."""

    kind: str
    line: int
    text: str


def rust_pieces(source):
    """Yields comments, blocks of documentation and string literals of a Rust source."""
    lines = source.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    number = 0
    for match in RUST.finditer(source):
        while starts[number + 1] <= match.start():
            number += 1
        kind, text = match.lastgroup, match.group()
        if kind == "fence":
            kind = "raw"
        if kind == "line":
            if text.startswith("////"):
                continue
            if text.startswith(("///", "//!")):
                yield Piece("doc", number + 1, text[3:].removeprefix(" "))
            else:
                yield Piece("comment", number + 1, text[2:].removeprefix(" "))
        elif kind == "block":
            for offset, line in enumerate(text.strip("/*! ").split("\n")):
                yield Piece("comment", number + 1 + offset, line.strip(" *"))
        elif kind in ("text", "raw"):
            body = text[text.index('"') + 1 : text.rindex('"')]
            if kind == "text":
                body = re.sub(r"\\\n\s*", lambda gap: "\n" * gap.group().count("\n"), body)
            is_error = source[max(0, match.start() - 60) : match.start()].rstrip().endswith("#[error(")
            prose = body.count(" ") + body.count("\n") >= 2
            for offset, line in enumerate(body.split("\n")):
                if prose:
                    yield Piece("text", number + 1 + offset, line)
            if is_error:
                yield Piece("error", number + 1, " ".join(body.split()))


def doc_blocks(pieces, lines):
    """Yields each block of documentation as (first line, lines, what follows it)."""
    block = []
    for piece in [*pieces, None]:
        if piece is not None and piece.kind == "doc" and is_whole_line(lines[piece.line - 1]) and (
                not block or (piece.line == block[-1].line + 1
                              and marker(lines, piece.line) == marker(lines, block[-1].line))):
            block.append(piece)
            continue
        if block:
            yield block, follower(lines, block[-1].line)
        block = [piece] if piece is not None and piece.kind == "doc" and is_whole_line(lines[piece.line - 1]) else []


def marker(lines, number):
    return lines[number - 1].strip()[:3]


def is_whole_line(line):
    return line.lstrip().startswith("//")


def follower(lines, number):
    """Returns the kind of item after a block of documentation: fn, test or other."""
    test = False
    depth = 0
    for line in lines[number : number + 40]:
        stripped = line.strip()
        if depth or stripped.startswith("#["):
            test = test or TEST.match(line) is not None
            depth += stripped.count("[") - stripped.count("]")
            continue
        if not stripped or stripped.startswith("//"):
            continue
        if ITEM.match(line):
            return "test" if test else "fn"
        return "other"
    return "other"


def test_names(lines):
    """Yields (line, name) of each test function."""
    waiting = False
    for number, line in enumerate(lines, 1):
        if TEST.match(line):
            waiting = True
        elif waiting and (match := ITEM.match(line)):
            yield number, match.group(1)
            waiting = False


CODE = re.compile(r"`[^`]*`|https?://\S+|<[^<>\s]*>|\{[^{}\s]*\}")


def without_code(text):
    """Blanks what is not prose: code in backticks, links, placeholders."""
    return CODE.sub(lambda match: " " * len(match.group()), text)


def unfenced(pairs):
    """Drops fenced code from (line, text) pairs."""
    inside = False
    for number, text in pairs:
        if text.lstrip().startswith(("```", "~~~")):
            inside = not inside
        elif not inside:
            yield number, text


COMMENT = re.compile(r"^(\s*//[/!]?)(?: (.*))?$")
# What begins a line that is not the next one of a paragraph: lists, tables, headings, quotations, fences, markers.
BREAK = re.compile(r"^(?:[-*+>|#]|\d+[.)] |```|~~~|Source:|===|\[[^]]+\]:| )")


def wrapped(source, width):
    """Returns a Rust source with each paragraph of comments refilled that has a line of more than `width` columns."""
    result, paragraph, head, fenced, text_lines = [], [], None, False, inside_text(source)

    def flush():
        nonlocal paragraph
        if any(len(line) > width for line in paragraph):
            words = " ".join(COMMENT.match(line).group(2).strip() for line in paragraph)
            item = re.match(r"(?:[-*+]|\d+[.)]) ", words)
            result.extend(textwrap.wrap(words, width, initial_indent=head + " ",
                                        subsequent_indent=head + " " + " " * (len(item.group()) if item else 0),
                                        break_long_words=False, break_on_hyphens=False))
        else:
            result.extend(paragraph)
        paragraph = []

    for number, line in enumerate(source.split("\n"), 1):
        match = COMMENT.match(line) if number not in text_lines else None
        text = (match.group(2) or "") if match else ""
        fence = text.startswith(("```", "~~~"))
        if match is None or not text.strip() or match.group(1) != head:
            flush()
        if match is None or not text.strip() or fenced or fence or text.startswith(("|", "#", "    ")):
            flush()
            result.append(line)
            head = match.group(1) if match else None
        else:
            if BREAK.match(text) and not (text.startswith(" ") and paragraph):
                flush()
            head = match.group(1)
            paragraph.append(line)
        fenced ^= fence
        fenced &= match is not None
    flush()
    return "\n".join(result)


def inside_text(source):
    """Returns the numbers of lines that begin inside a string literal or a block comment."""
    found = set()
    for match in RUST.finditer(source):
        gaps = match.group().count("\n")
        if gaps:
            first = source.count("\n", 0, match.start()) + 2
            found.update(range(first, first + gaps))
    return found
