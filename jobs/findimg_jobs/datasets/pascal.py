"""Download UIUC Pascal Sentences: 1,000 photographs in 20 classes, one request at a time.

Source: C. Rashtchian, P. Young, M. Hodosh, J. Hockenmaier, "Collecting Image Annotations Using Amazon's Mechanical
Turk", NAACL HLT 2010 workshop on that subject; the photographs are from PASCAL VOC 2008.
"""

import re
import time
import urllib.request
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request

from rich.console import Console
from rich.progress import track

from findimg.errors import ImageError, NotPublishedError, ObjectMissingError, StorageError
from findimg.images import decode
from findimg.storage.base import open_storage

PAGE = "https://vision.cs.uiuc.edu/pascal-sentences/"

# The pattern allows no host, no query and no `..`.
_LINK = re.compile(r"""\ssrc=["']?(([a-z]{2,30})/([0-9]{4}_[0-9]{6}\.jpg))["'\s>]""")
# Folder names become labels, so each part must be a word.
_LABELS = {"diningtable": "dining_table", "pottedplant": "potted_plant", "tvmonitor": "tv_monitor"}
_MAX_LINKS = 2000
_LIMIT = 4 * 2**20  # bytes of the page or of an image. The largest photographs of PASCAL VOC have about 0.2 MB.
_TIMEOUT = 30  # seconds without a byte
_BUSY = (429, 503)
_ATTEMPTS = 3
_MAX_WAIT = 120  # seconds


def download(folder: Path, page: str = PAGE, pause: float = 0.2) -> int:
    """Download missing photographs to `folder/<class>/<name>.jpg`.

    A file is written only after it decodes as an image, and atomically. The classes `diningtable`, `pottedplant` and
    `tvmonitor` become `dining_table`, `potted_plant` and `tv_monitor`.

    Args:
        folder: target, created if it does not exist.
        page: address of the page, with a final `/`. Only addresses below it are requested.
        pause: seconds before each request. After a busy answer without `Retry-After` it is 10, then 100 times as long.

    Returns:
        The number of photographs in `folder`.

    Raises:
        NotPublishedError: some photographs are missing. The message names the reasons. Another call continues.
        StorageError: the page cannot be read or links no photographs, or `folder` cannot be written.
    """
    opener = urllib.request.build_opener(_StayBelow(page))
    opener.addheaders = [("User-Agent", "findimg (findimg-jobs samples --pascal; one request at a time)")]
    found = _LINK.findall(_fetch(opener, page, pause).decode("utf-8", "replace"))
    links = {f"{_LABELS.get(name, name)}/{file}": link for link, name, file in found}
    if not 0 < len(links) <= _MAX_LINKS:
        raise StorageError(
            f"{page} links {len(links):,} photographs like aeroplane/2008_000716.jpg instead of about 1,000, "
            "so nothing was downloaded. Open the page in a browser: the data set may have moved."
        )
    storage = open_storage(folder)
    missing = {key: link for key, link in links.items() if not storage.exists(key)}
    present, problems = len(links) - len(missing), []
    console = Console(stderr=True)
    for key, link in track(missing.items(), "Downloading", len(links), present, console=console, transient=True):
        try:
            data = _fetch(opener, page + link, pause)
            decode(data)
        except ImageError as error:
            problems.append(f"{page}{link}: {error}")
        except StorageError as error:
            problems.append(str(error))
            if not isinstance(error, ObjectMissingError):
                break  # other requests would fail as well
        else:
            storage.write(key, data)
            present += 1
    if problems:
        summary = f"{present:,} of {len(links):,} photographs are in {folder}. Run the command again to continue."
        raise NotPublishedError("\n".join([*problems, summary]))
    return present


class _StayBelow(HTTPRedirectHandler):
    """Follow redirects only to addresses below the page."""

    def __init__(self, page: str):
        self._page = page

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if not newurl.startswith(self._page):
            raise ObjectMissingError(f"{req.full_url} redirects to {newurl!r}, which is not below the page.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(opener: OpenerDirector, url: str, pause: float) -> bytes:
    """Return the content of `url`.

    Raises:
        ObjectMissingError: this address cannot be downloaded. Others may work.
        StorageError: the server cannot be reached or stays busy.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        time.sleep(pause)
        try:
            with opener.open(url, timeout=_TIMEOUT) as response:
                data: bytes = response.read(_LIMIT + 1)
                announced = response.headers.get("Content-Length")
        except HTTPError as error:
            error.close()
            if error.code not in _BUSY:
                raise ObjectMissingError(f"{url} returned HTTP status {error.code}.") from error
            wait = _retry_after(error.headers.get("Retry-After"), pause * 10**attempt)
            if attempt == _ATTEMPTS or wait > _MAX_WAIT:
                raise StorageError(
                    f"The server of {url} is busy (HTTP status {error.code}). Try again in {wait:,.0f} s or later."
                ) from error
            time.sleep(wait)
        except (URLError, TimeoutError) as error:
            raise StorageError(
                f"{url} cannot be reached: {getattr(error, 'reason', error)}. Check the network, or try again later."
            ) from error
        except (OSError, HTTPException, ValueError) as error:
            raise ObjectMissingError(f"{url} could not be downloaded: {error!r}.") from error
        else:
            break
    if len(data) > _LIMIT:
        raise ObjectMissingError(f"{url} has more than {_LIMIT:,} bytes, the limit.")
    if announced is not None and announced != str(len(data)):
        raise ObjectMissingError(f"{url} ended after {len(data):,} bytes.")
    return data


def _retry_after(header: str | None, otherwise: float) -> float:
    """Return the seconds to wait. Source: RFC 9110, 10.2.3: a number of seconds, or a date."""
    try:
        return max(0.0, float(int(header or "")))
    except (ValueError, OverflowError):
        pass
    try:
        return max(0.0, parsedate_to_datetime(header or "").timestamp() - time.time())
    except (ValueError, OverflowError):
        return otherwise
