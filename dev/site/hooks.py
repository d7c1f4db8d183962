"""Hooks of mkdocs: files of the project that pages link to become pages of the site.

A page in docs/ can link to `../deploy/terraform/main.tf` or `../SECURITY.md`, so that the link also works in a checkout
and on a forge. The site has such a file at `source/deploy/terraform/main.tf.md`, or `source/SECURITY.md`. A link that
leads to no file stays as it is, and mkdocs ends with an error because of `strict`.
"""

import posixpath
import re
from pathlib import Path, PurePosixPath

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent.parent
LINK = re.compile(r"(\]\()(?!(?:[a-z][a-z0-9+.-]*:|#|/))([^)#\s]+)")
FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})")
FOLDER = "source"


def links_of(text):
    """Yields lines, each with True if it is outside of fenced code."""
    fence = None
    for line in text.splitlines(keepends=True):
        match = FENCE.match(line)
        if fence is None and match:
            fence = match[2]
            yield line, False
        elif fence is not None:
            if line.strip() == fence:
                fence = None
            yield line, False
        else:
            yield line, True


def site_path(file):
    """Returns the page of the site for a file of the project."""
    if file.startswith("docs/"):
        return file.removeprefix("docs/")
    if file.endswith(".md"):
        return f"{FOLDER}/{file}"
    if (ROOT / file).is_dir():
        return f"{FOLDER}/{file}/index.md"
    return f"{FOLDER}/{file}.md"


def rewritten(text, file, found):
    """Returns the text of a file with its links rewritten, and adds the files that they lead to."""
    page = site_path(file)

    def link(match):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(file), match[2]))
        path = ROOT / target
        if path.is_dir() and (path / "README.md").is_file():
            target += "/README.md"
        elif not path.exists() or target.startswith(".."):
            return match[0]
        found.add(target)
        # Pictures and other files of docs/ are files of the site as they are.
        return match[1] + posixpath.relpath(site_path(target), posixpath.dirname(page) or ".")

    return "".join(LINK.sub(link, line) if is_text else line for line, is_text in links_of(text))


def contents(folder, found):
    """Returns a page with links to the files of a folder, and adds them."""
    names = sorted(path.name for path in (ROOT / folder).iterdir() if path.is_file())
    found.update(f"{folder}/{name}" for name in names)
    links = "".join(f"- [{name}]({name if name.endswith('.md') else name + '.md'})\n" for name in names)
    return f"# {folder}\n\n{links}"


def listing(file):
    """Returns a page with a file that is not Markdown."""
    language = {"rs": "rust", "tf": "terraform", "yml": "yaml", "hcl": "terraform"}
    suffix = PurePosixPath(file).suffix.removeprefix(".")
    text = (ROOT / file).read_text(encoding="utf-8")
    fence = "`" * 8
    return f"# {file}\n\n{fence}{language.get(suffix, suffix)}\n{text.rstrip()}\n{fence}\n"


def pages_of_nav(items):
    for item in items:
        if isinstance(item, dict):
            for value in item.values():
                yield from pages_of_nav(value if isinstance(value, list) else [value])
        else:
            yield item


def on_files(files, config):
    waiting = {page.removeprefix(f"{FOLDER}/") for page in pages_of_nav(config.nav) if page.startswith(f"{FOLDER}/")}
    # Links of pages in docs/ first, then links of the pages that they add.
    for file in files.documentation_pages():
        rewritten(file.content_string, f"docs/{file.src_uri}", waiting)
    done = set()
    while waiting - done:
        for file in sorted(waiting - done):
            done.add(file)
            path = ROOT / file
            if file.startswith("docs/") or not path.exists():
                continue
            if path.is_dir():
                content = contents(file, waiting)
            elif file.endswith(".md"):
                content = rewritten(path.read_text(encoding="utf-8"), file, waiting)
            elif path.suffix in {".png", ".svg"}:
                continue
            else:
                content = listing(file)
            files.append(File.generated(config, site_path(file), content=content))
    return files


def on_page_markdown(markdown, page, **_):
    if page.file.src_uri.startswith(f"{FOLDER}/"):
        return markdown
    return rewritten(markdown, f"docs/{page.file.src_uri}", set())
