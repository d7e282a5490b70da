"""Test the captions that are read from metadata. The metadata is written by Pillow, or byte by byte."""

import io
import struct
import zlib
from collections.abc import Sequence

import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL.ExifTags import IFD, Base
from PIL.PngImagePlugin import PngInfo

from findimg.images import decode
from findimg.images.captions import read_sidecar
from findimg.images.captions.charsets import decode_text

XMP = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:aux="http://ns.adobe.com/exif/1.0/aux/" xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
 xmp:Rating="4" exif:GPSLatitude="52,31.2N" aux:SerialNumber="SN12345">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Annual picnic</rdf:li><rdf:li xml:lang="de">Sommerfest</rdf:li>
</rdf:Alt></dc:title>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">Colleagues &amp; friends\non the lawn</rdf:li></rdf:Alt>
</dc:description>
<dc:subject><rdf:Bag><rdf:li>picnic</rdf:li><rdf:li>Zürich</rdf:li><rdf:li>犬</rdf:li></rdf:Bag></dc:subject>
<dc:creator><rdf:Seq><rdf:li>Jane Photographer</rdf:li></rdf:Seq></dc:creator>
<xmp:Label>Approved</xmp:Label><photoshop:Headline>Summer 2024</photoshop:Headline>
<Iptc4xmpCore:CreatorContactInfo rdf:parseType="Resource">
<Iptc4xmpCore:CiEmailWork>jane@example.com</Iptc4xmpCore:CiEmailWork></Iptc4xmpCore:CreatorContactInfo>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
CAPTIONS = (
    "Annual picnic\nSommerfest\nSummer 2024\nColleagues & friends on the lawn\npicnic, Zürich, 犬\nApproved\n4 stars"
)
SECRETS = ("52,31", "SN12345", "Jane", "jane@example.com", "Berlin")


def saved(kind: str, **how: object) -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (40, 30), "red").save(file, kind, **how)
    return file.getvalue()


def exif(tags: dict[int, object], details: dict[int, object] | None = None) -> PIL.Image.Exif:
    made = PIL.Image.Exif()
    made.update(tags)
    if details:
        made.get_ifd(IFD.Exif).update(details)
    return made


def dataset(record: int, number: int, value: bytes) -> bytes:
    return struct.pack(">BBBH", 0x1C, record, number, len(value)) + value


def with_iptc(datasets: Sequence[bytes]) -> bytes:
    """Return a JPEG with an IPTC block in its Photoshop resources."""
    block = b"".join(datasets)
    resource = b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(block)) + block + b"\0" * (len(block) % 2)
    segment = b"Photoshop 3.0\0" + resource
    jpeg = saved("JPEG")
    return jpeg[:2] + b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_xmp_captions_are_read_and_nothing_private(kind: str) -> None:
    how: dict[str, object] = {"xmp": XMP.encode()}
    if kind == "PNG":
        texts = PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", XMP)
        how = {"pnginfo": texts}
    elif kind == "TIFF":
        how = {"tiffinfo": {700: XMP.encode()}}
    captions = decode(saved(kind, **how)).facts.captions
    assert captions == CAPTIONS
    assert not any(secret in captions for secret in SECRETS)


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_sidecar_is_read_in_any_form_of_unicode(charset: str) -> None:
    text = XMP if charset != "utf-16-le" else "\ufeff" + XMP
    assert read_sidecar(text.encode(charset)) == CAPTIONS


def test_entities_are_not_expanded() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "boom"><!ENTITY b "&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
    assert read_sidecar((bomb + XMP.replace("Annual picnic", "&b;&f;").partition("?>")[2]).encode()) == ""


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        (b"ASCII\0\0\0Team lunch\0\0", "Team lunch"),
        (b"UNICODE\0" + "Grüße aus 東京".encode("utf-16-le"), "Grüße aus 東京"),
        (b"UNICODE\0" + "Grüße aus Kiel".encode("utf-16-be"), "Grüße aus Kiel"),
        (b"UNICODE\0\xff\xfe" + "日本".encode("utf-16-le"), "日本"),
        (b"JIS\0\0\0\0\0" + "社員旅行".encode("iso2022_jp"), "社員旅行"),
        (b"JIS\0\0\0\0\0" + "社員旅行".encode("iso2022_jp")[3:-3], "社員旅行"),
        (b"\0\0\0\0\0\0\0\0" + "Fête".encode(), "Fête"),
        (b"ASCII\0\0\0" + "Fête".encode("cp1252"), "Fête"),
        (b"ASCII\0\0\0\0\0\0\0", ""),
    ],
)
def test_user_comment_is_read_by_its_character_set(comment: bytes, text: str) -> None:
    made = saved("JPEG", exif=exif({}, {Base.UserComment: comment}))
    assert decode(made).facts.captions == text


def test_exif_texts_are_read() -> None:
    tags: dict[int, object] = {
        Base.ImageDescription: "Team on the roof",
        Base.XPTitle: "Dachterrasse\0".encode("utf-16-le"),
        Base.XPSubject: "東京\0".encode("utf-16-le"),
        Base.XPKeywords: "roof;team;夏\0".encode("utf-16-le"),
        Base.XPComment: "see wiki\0".encode("utf-16-le"),
        Base.XPAuthor: "Jane\0".encode("utf-16-le"),
        Base.Artist: "Jane",
        0x4746: 5,
    }
    captions = decode(saved("JPEG", exif=exif(tags))).facts.captions
    assert captions == "Dachterrasse\n東京\nsee wiki\nTeam on the roof\nroof, team, 夏\n5 stars"


@pytest.mark.parametrize("text", ["OLYMPUS DIGITAL CAMERA", "SONY DSC", r"DCIM\100MEDIA\DJI_0001.JPG", "   ", "???"])
def test_text_that_cameras_write_is_left_out(text: str) -> None:
    assert decode(saved("JPEG", exif=exif({Base.ImageDescription: text}))).facts.captions == ""


@pytest.mark.parametrize(
    ("escape", "charset"),
    [
        (b"\x1b%G", "utf-8"),
        (b"\x1b.A", "latin-1"),
        (b"\x1b-B", "iso8859-2"),
        (None, "utf-8"),
        (None, "cp1252"),
    ],
)
def test_iptc_is_read_by_its_character_set(escape: bytes | None, charset: str) -> None:
    datasets = [
        *([dataset(1, 90, escape)] if escape else []),
        dataset(2, 5, "Frühjahr".encode(charset)),
        dataset(2, 25, "Börse".encode(charset)),
        dataset(2, 25, b"finance"),
        dataset(2, 90, b"Berlin"),
        dataset(2, 105, b"Spring report"),
        dataset(2, 120, "Die Übersicht".encode(charset)),
        dataset(2, 80, b"Jane"),
    ]
    assert decode(with_iptc(datasets)).facts.captions == "Frühjahr\nSpring report\nDie Übersicht\nBörse, finance"


def test_png_texts_are_read() -> None:
    texts = PngInfo()
    texts.add_text("Title", "Sprint board")
    texts.add_text("Description", "Späte Phase", zip=True)
    texts.add_itxt("Comment", "完了")
    texts.add_text("Author", "Jane")
    texts.add_text("Software", "painter 1.0")
    assert decode(saved("PNG", pnginfo=texts)).facts.captions == "Sprint board\nSpäte Phase\n完了"


def test_large_metadata_is_cut_and_costs_no_pixels() -> None:
    texts = PngInfo()
    texts.add_text("Comment", "word " * 100_000, zip=True)
    texts.add_text("Title", "kept")
    decoded = decode(saved("PNG", pnginfo=texts))
    assert len(decoded.facts.captions) < 9000
    assert decoded.facts.width == 40
    bomb = b"Comment\0\0" + zlib.compress(b"a" * (100 << 20))
    png = saved("PNG")
    chunk = struct.pack(">I", len(bomb)) + b"zTXt" + bomb + struct.pack(">I", zlib.crc32(b"zTXt" + bomb))
    assert decode(png[:33] + chunk + png[33:]).facts.width == 40


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("Café à la carte", "cp1252"),
        ("Отпуск на море", "cp1251"),
        ("夏休みの思い出", "cp932"),
        ("团队合影", "gb18030"),
        ("여름 휴가", "euc_kr"),
        ("Καλοκαίρι", "cp1253"),
        ("日本の夏", "utf-8"),
    ],
)
def test_character_set_is_recognised(text: str, charset: str) -> None:
    assert decode_text(text.encode(charset)) == text


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 400), st.booleans())
def test_hostile_metadata_raises_nothing(noise: bytes, place: int, insert: bool) -> None:
    packet = XMP.encode()
    broken = packet[:place] + noise + packet[place if insert else place + len(noise) :]
    assert isinstance(read_sidecar(broken), str)
    assert isinstance(decode(saved("JPEG", xmp=broken)).facts.captions, str)
    assert isinstance(decode(with_iptc([dataset(2, 120, b"x"), noise])).facts.captions, str)
    assert isinstance(decode(saved("JPEG", exif=exif({}, {Base.UserComment: noise}))).facts.captions, str)
