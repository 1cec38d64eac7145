"""What a file is by its first bytes, where it is not what its name promises."""

HEAD = 512  # bytes that are enough to tell
MOST_SHOWN = 160  # characters of a foreign message
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
PARQUET = b"PAR1"
ANNEX = "/annex/objects/"  # in what a link of git-annex leads to

# How files begin, and what to say of one that was expected to be something else.
BEGINNINGS = (
    (
        b"version https://git-lfs.github.com/spec/",
        "is a Git LFS pointer, not the file itself; run `git lfs pull` in its repository",
    ),
    (
        b"/annex/objects/",
        "is a git-annex pointer, not the file itself; run `git annex get` in its repository",
    ),
    (b"outs:\n", "is a DVC pointer, not the file itself; run `dvc pull` in its repository"),
    (b"\x1f\x8b", "is compressed with gzip; unpack it (tar -xzf for .tar.gz, else gunzip) first"),
    (b"BZh", "is compressed with bzip2; unpack it (tar -xjf for .tar.bz2, else bunzip2) first"),
    (b"\xfd7zXZ\x00", "is compressed with xz; unpack it (tar -xJf for .tar.xz, else unxz) first"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd; unpack it (unzstd) first"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it (7z x) first"),
    (b"Rar!", "is a rar archive; unpack it (unrar x) first"),
    (ZIP[0], "is a zip file (Excel's tables are too); unpack it, or save a table as CSV, first"),
    (ZIP[1], "is an empty zip file; copy or download it again"),
    (PARQUET, "is a Parquet file; give it a name that ends in .parquet"),
    (b"\x89HDF\r\n\x1a\n", "is an HDF5 file, which is not read; write its pictures to a folder"),
    (b"\x93NUMPY", "is a numpy array, which is not read; write its pictures to a folder"),
    (b"\x80\x04", "is a pickle, which is not opened, for it can run code; save it as PNG files"),
    (b"\x80\x05", "is a pickle, which is not opened, for it can run code; save it as PNG files"),
    (b"\x80\x02", "is a pickle, which is not opened, for it can run code; save it as PNG files"),
    (b"\x80\x03", "is a pickle, which is not opened, for it can run code; save it as PNG files"),
    (b"PARE", "is an encrypted Parquet file; write it without encryption"),
    (b"ARROW1", "is an Arrow file, which is not read; save it as Parquet"),
    (b"FEA1", "is a Feather file, which is not read; save it as Parquet"),
    (b"SQLite format 3\0", "is an SQLite database, which is not read; save its table as CSV"),
    (b"MATLAB 5.0", "is a MATLAB file, which is not read; write its pictures to a folder"),
    (b"\xd0\xcf\x11\xe0", "is a file of an old Excel or Word; save the table as CSV in UTF-8"),
    (b"%PDF", "is a PDF document; export its pictures as PNG"),
    (b"%!PS", "is a PostScript document; export its pictures as PNG"),
    (b"8BPS", "is a Photoshop file; export it as PNG"),
    (b"\xff\x0a", "is a JPEG XL picture, which is not read; convert it to PNG or JPEG"),
    (b"\0\0\0\x0cJXL ", "is a JPEG XL picture, which is not read; convert it to PNG or JPEG"),
    (b"\0\0\0\x0cjP  ", "is a JPEG 2000 picture, which is not read; convert it to PNG or JPEG"),
    (b"\0\0\1\0", "is an icon (ICO), which is not read; convert it to PNG"),
    (b"DDS ", "is a DDS picture, which is not read; convert it to PNG"),
    (b"\x76\x2f\x31\x01", "is an OpenEXR picture, which is not read; convert it to PNG"),
    (b"#?RADIANCE", "is a Radiance HDR picture, which is not read; convert it to PNG"),
    (b"P7\n", "is a PAM picture, which is not read; convert it to PNG"),
    (b"\x89PNG", "is a PNG picture"),
    (b"\xff\xd8\xff", "is a JPEG picture"),
    (b"GIF8", "is a GIF picture"),
    (b"\xff\xfe", "is text in UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "is text in UTF-16; save it as UTF-8"),
)
# The same for what stands at byte 4, after a length: pictures and films of phones.
BRANDS = (
    ((b"ftypavi",), "is an AVIF picture"),
    ((b"ftyphei", b"ftyphev", b"ftypmif1", b"ftypmsf1"), "is a HEIC picture, which is not read"),
    ((b"ftyp",), "is a film in MP4 or MOV"),
)
PAGES = (b"<!doctype html", b"<html")


def describe_content(head: bytes) -> str:
    """Say what a file is that was expected to be something else, and the way out.

    Args:
        head: its first HEAD bytes, or all.

    Returns:
        The rest of a sentence that begins with the file's name; empty where nothing is known.
    """
    if not head:
        return "is empty (0 bytes), as an interrupted copy or a full disk leaves it; copy it again"
    if not head.strip(b"\0"):
        return "begins with zero bytes alone, as a crash leaves a file; copy or download it again"

    # What was downloaded without a log-in is a web page that says so.
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.lower().startswith(PAGES):
        return "is a web page, as a download without log-in leaves it; download the file itself"
    if text.lower().startswith(b"<svg"):
        return "is a drawing in SVG; export it as PNG"
    if text.startswith(b"<?xml"):
        return "is an XML document, as a refused download leaves it; download the file itself"

    # The first bytes, or those after a length.
    for beginning, said in BEGINNINGS:
        if head.startswith(beginning):
            return said
    for brands, said in BRANDS:
        if head[4:].startswith(brands):
            return said if said.endswith("picture") else f"{said}; convert it to PNG or JPEG"
    if head[257:262] == b"ustar":
        return "is a tar archive; unpack it (tar -xf) and give the folder"
    if head[128:132] == b"DICM":
        return "is a DICOM picture, which is not read; convert it to PNG"

    # A link whose target git wrote into a file, where the file system has no links.
    if head.startswith((b"../", b"./")) and b"\n" not in head and len(head) < HEAD:
        if ANNEX.encode() in head:
            return "is a link of git-annex written as text; run `git annex get` in its repository"
        return (
            "is a link that git wrote as text; clone the repository again with `git clone -c "
            "core.symlinks=true`, or copy the file itself"
        )

    # Every second byte of plain text in UTF-16 is zero, and a mark at its beginning may lack.
    pairs = head[: len(head) // 2 * 2]
    for zeros, signs in ((pairs[1::2], pairs[::2]), (pairs[::2], pairs[1::2])):
        is_text = len(signs) > 3 and all(byte > 31 or byte in b"\t\r\n" for byte in signs)
        if is_text and not zeros.strip(b"\0"):
            return "is text in UTF-16; save it as UTF-8"
    return ""


def reason_of(error: Exception) -> str:
    """Shorten the message of a foreign exception, whose kind is named where it says nothing."""
    line = next(iter(str(error).splitlines()), "").strip()
    shown = "".join(sign if sign.isprintable() else "?" for sign in line or type(error).__name__)
    return shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}..."


def is_zip(head: bytes) -> bool:
    """Tell whether a file begins as a zip file does."""
    return head.startswith(ZIP)
