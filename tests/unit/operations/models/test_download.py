from pathlib import Path

import pytest
import requests

from classifyd.operations.models.catalog import CatalogError
from classifyd.operations.models.download import Downloader

CONTENT = bytes(range(256)) * 1000
BLOCK = 2**16  # what arrives is kept in blocks of this size
WHOLE = range(len(CONTENT), len(CONTENT) + 1)


@pytest.fixture
def part(tmp_path):
    return tmp_path / "file.part"


@pytest.fixture
def waits():
    return []


@pytest.fixture
def fetch(server, part, waits):
    server.files["/file"] = CONTENT

    def fetch(*paths, sizes=WHOLE, tries=5):
        seen = []
        with requests.Session() as session:
            downloader = Downloader(session, tries, waits.append)
            urls = [server.url + path for path in paths or ("/file",)]
            downloader.fetch(urls, part, sizes, lambda have, total: seen.append((have, total)))
        return seen

    return fetch


def test_a_file_arrives_whole_and_its_progress_is_told(fetch, part):
    seen = fetch()
    assert part.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_redirect_is_followed(fetch, part, server):
    server.redirects["/moved"] = "/file"
    fetch("/moved")
    assert part.read_bytes() == CONTENT


def test_a_cut_is_continued_where_it_happened(fetch, part, server):
    server.cuts = [2 * BLOCK, BLOCK]
    fetch()
    assert part.read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, f"bytes={2 * BLOCK}-", f"bytes={3 * BLOCK}-"]


def test_a_later_call_continues_what_an_earlier_one_began(fetch, part, server):
    server.cuts = [100_000]
    with pytest.raises(CatalogError, match="pull again to go on"):
        fetch(tries=1)
    fetch()
    assert part.read_bytes() == CONTENT
    assert server.asked[-1] == ("/file", f"bytes={BLOCK}-")


def test_what_is_there_already_is_not_fetched_again(fetch, server):
    fetch()
    fetch()
    assert len(server.asked) == 1


def test_a_file_that_changed_between_two_tries_is_fetched_from_its_beginning(fetch, part, server):
    server.cuts = [100_000]
    with pytest.raises(CatalogError):
        fetch(tries=1)
    server.files["/file"] = CONTENT[::-1]
    server.tag = '"second"'
    fetch()
    assert part.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("tag", [None, 'W/"weak"'])
def test_without_a_strong_validator_nothing_is_continued(fetch, part, server, tag):
    server.tag = tag
    server.cuts = [100_000]
    fetch()
    assert part.read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, None]


def test_a_server_that_lost_the_rest_is_asked_for_the_whole(fetch, part, server):
    server.cuts = [100_000]
    with pytest.raises(CatalogError):
        fetch(tries=1)
    server.statuses = [416]
    fetch()
    assert part.read_bytes() == CONTENT


def test_another_range_than_asked_for_is_not_appended(fetch, part, server):
    server.cuts = [100_000]
    server.wrong_ranges = 1
    fetch()
    assert part.read_bytes() == CONTENT


def test_a_passing_failure_is_tried_again_after_growing_pauses(fetch, part, server, waits):
    server.statuses = [503, 429, 500]
    fetch()
    assert part.read_bytes() == CONTENT
    assert 0.5 <= waits[0] <= 1 <= waits[1] <= 2 <= waits[2] <= 4


def test_tries_are_bounded(fetch, server):
    server.statuses = [503] * 100
    with pytest.raises(CatalogError, match=r"HTTP 503 \(5 tries\)"):
        fetch()
    assert len(server.asked) == 5


def test_a_missing_file_is_not_tried_again(fetch, server):
    with pytest.raises(CatalogError, match="HTTP 404"):
        fetch("/gone")
    assert len(server.asked) == 1


def test_the_next_address_is_tried_where_one_does_not_have_the_file(fetch, part, server):
    server.files["/pointer"] = b"version https://git-lfs.github.com/spec/v1"
    fetch("/gone", "/pointer", "/file")
    assert part.read_bytes() == CONTENT


def test_when_no_address_helps_each_is_told(fetch):
    with pytest.raises(CatalogError, match=r"(?s)/gone: HTTP 404.*/away: HTTP 404"):
        fetch("/gone", "/away")


def test_a_file_of_another_size_is_refused_before_it_is_fetched(fetch, part):
    with pytest.raises(CatalogError, match="256000 bytes, so it is not what the catalog means"):
        fetch(sizes=range(1, 1000))
    assert part.read_bytes() == b""


def test_a_file_without_end_is_refused_when_it_grows_too_large(fetch, part, server):
    server.tells_length = False
    with pytest.raises(CatalogError, match="bytes and more"):
        fetch(sizes=range(1, 100_000))
    assert part.stat().st_size < 100_000


def test_a_cut_that_the_server_hides_is_noticed_by_the_size(fetch, part, server):
    server.tells_length = False
    server.cuts = [100_000]
    fetch()
    assert part.read_bytes() == CONTENT


def test_a_server_that_is_not_there_is_told_plainly(fetch, part, waits):
    with requests.Session() as session, pytest.raises(CatalogError, match="refused") as caught:
        Downloader(session, 2, waits.append).fetch(["http://127.0.0.1:9/x"], part, WHOLE, lambda *_: None)
    assert "Max retries" not in str(caught.value)


def test_an_address_that_is_none_is_told(part):
    with requests.Session() as session, pytest.raises(CatalogError, match="nonsense"):
        Downloader(session).fetch(["nonsense://x"], part, WHOLE, lambda *_: None)


def test_a_proxy_of_the_environment_is_used(fetch, part, server, monkeypatch):
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("http_proxy", server.url)
    server.files["http://models.invalid/file"] = CONTENT
    with requests.Session() as session:
        Downloader(session).fetch(["http://models.invalid/file"], part, WHOLE, lambda *_: None)
    assert part.read_bytes() == CONTENT


def test_a_damaged_note_of_what_was_begun_starts_over(fetch, part, server):
    server.cuts = [100_000]
    with pytest.raises(CatalogError):
        fetch(tries=1)
    Path(f"{part}.json").write_text("{")
    fetch()
    assert part.read_bytes() == CONTENT
    assert server.asked[-1] == ("/file", None)
