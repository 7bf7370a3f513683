"""HTTP to strangers: bounded in time and size, and never to an address that is not theirs."""

import contextlib
import datetime as dt
import http.server
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from zkml.adapters.http import addresses
from zkml.adapters.http.addresses import AddressPolicy, parse_base_url
from zkml.adapters.http.client import HttpClient, Limits, printable
from zkml.adapters.http.events import ServerEvent, read_events
from zkml.errors import ConfigError, ServiceUnreachableError


@contextlib.contextmanager
def serving(answer, tls=None):
    """Serve `answer(handler)` on this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            with contextlib.suppress(OSError):
                answer(self)

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reply(data=b"{}", status=200, **headers):
    def answer(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def client(url, **limits):
    return HttpClient(url, private_allowed=True, limits=Limits(**{"attempts": 1, **limits}))


# --- addresses ------------------------------------------------------------------------------------

PRIVATE = ["127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "::1", "fd00::1", "::ffff:127.0.0.1"]
NEVER = [
    "169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "224.0.0.1",
    "ff02::1",
    "0.0.0.0",
    "::",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "240.0.0.1",
    "255.255.255.255",
    "no address",
]
PUBLIC = ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822"]


@pytest.mark.parametrize("address", PRIVATE)
def test_address__private__only_where_allowed(address):
    """This machine and private networks are reached only when the user named the node or the chain is local."""
    assert not AddressPolicy(private_allowed=False).allows(address)
    assert AddressPolicy(private_allowed=True).allows(address)


@pytest.mark.parametrize("address", NEVER)
def test_address__metadata_multicast_and_the_like__never(address):
    """Where clouds keep credentials, and what is no machine, is never connected to, in whatever notation."""
    assert not AddressPolicy(private_allowed=False).allows(address)
    assert not AddressPolicy(private_allowed=True).allows(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_address__public__allowed(address):
    """Public addresses are allowed."""
    assert AddressPolicy(private_allowed=False).allows(address)


def test_name__one_of_its_addresses_is_private__refused_and_nothing_connected(monkeypatch):
    """A name with a private address among public ones is refused whole."""
    rows = [(0, 0, 0, "", (address, 80)) for address in ("93.184.216.34", "127.0.0.1")]
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *_, **__: rows)
    with pytest.raises(ServiceUnreachableError, match=r"found 127\.0\.0\.1"):
        HttpClient("https://example.org", private_allowed=False, limits=Limits(attempts=1)).get("/")


def test_name__rebound_after_the_check__connected_to_what_was_checked(monkeypatch):
    """The connection goes to the address that was checked; the name is asked once, and never again."""
    asked = []
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *arguments, **options):
        if host != "rebound.test":
            return real(host, port, *arguments, **options)
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    hosts = []

    def answer(handler):
        hosts.append(handler.headers["Host"])
        reply()(handler)

    with serving(answer) as url:
        port = url.rpartition(":")[2]
        assert client(f"http://rebound.test:{port}").get("/").body == b"{}"
    assert asked == ["rebound.test"]
    assert hosts == [f"rebound.test:{port}"]


def test_name__resolver_hangs__bounded(monkeypatch):
    """A resolver that never answers is waited for no longer than for the whole exchange."""
    released = threading.Event()
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *_, **__: released.wait(30) and [])
    try:
        with pytest.raises(ServiceUnreachableError, match="no answer in time"):
            client("http://slow.test", total_seconds=0.1).get("/")
    finally:
        released.set()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org",
        "https://user:secret@example.org",
        "https://example.org/?a=1",
        "https://example.org/#x",
        "https://",
        "https://example.org:99999",
        "https://exa mple.org",
        "https://example.org/\x1b[2J",
        "https://" + "a" * 300,
        "http://example.org",
        "file:///etc/passwd",
        "",
    ],
)
def test_url__no_base_url_of_an_api__refused(url):
    """What is no plain https base URL is refused before anything is resolved."""
    with pytest.raises(ConfigError, match="expected a URL"):
        parse_base_url(url, plain_allowed=False)


def test_url__base_url__normal_form():
    """Ports are filled in, and a slash at the end is dropped."""
    assert (
        str(parse_base_url("https://example.org/api/", plain_allowed=False)) == "https://example.org:443/api"
    )
    assert str(parse_base_url("http://[::1]:80", plain_allowed=True)) == "http://[::1]:80"


def test_tls__certificate_of_nobody__refused(tmp_path):
    """A server without a certificate that a public authority vouches for is not talked to."""
    with serving(reply()) as url, pytest.raises(ServiceUnreachableError):
        client(url.replace("http:", "https:"), step_seconds=2.0).get("/")


def certificate_of(name, folder):
    """Make a key and a certificate that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 7, now, now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, form, none))


@pytest.mark.parametrize("name", ["node.test", "other.test"])
def test_tls__connected_by_address_checked_by_name(name, tmp_path, monkeypatch):
    """The certificate has to be of the name in the URL, though the connection goes to a checked address."""
    certificate_of("node.test", tmp_path)
    monkeypatch.setattr(
        addresses.socket,
        "getaddrinfo",
        lambda _, port, *__, **___: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))],
    )
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    trusted = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    with serving(reply(), tls=served) as url:
        limits = Limits(attempts=1, step_seconds=5.0)
        port = url.rpartition(":")[2]
        asked = HttpClient(f"https://{name}:{port}", private_allowed=True, limits=limits, ssl_context=trusted)
        if name == "node.test":
            assert asked.get("/").body == b"{}"
            return
        with pytest.raises(ServiceUnreachableError, match="certificate verify failed"):
            asked.get("/")


# --- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect__anywhere__not_followed(status):
    """A redirect is an error, wherever it points to."""
    answer = reply(b"", status, Location="http://169.254.169.254/")
    with serving(answer) as url, pytest.raises(ServiceUnreachableError, match="found a redirect"):
        client(url).get("/")


def test_size__longer_than_allowed__refused_while_it_comes():
    """Reading stops at the limit, whatever length was announced."""

    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65_536)

    with serving(endless) as url, pytest.raises(ServiceUnreachableError, match="at most 100000 bytes"):
        client(url, max_bytes=100_000).get("/")


def drip(handler):
    """Send a byte of a header now and then."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(500):
        handler.wfile.write(b"a")
        time.sleep(0.02)


def drip_body(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(500):
        handler.wfile.write(b"a")
        time.sleep(0.02)


@pytest.mark.parametrize("slow", [drip, drip_body])
def test_time__a_byte_now_and_then__ended_at_the_deadline(slow):
    """No step is long, and the whole is bounded all the same."""
    with serving(slow) as url, pytest.raises(ServiceUnreachableError, match=r"within 0\.2 s"):
        client(url, total_seconds=0.2, step_seconds=5.0).get("/")


def test_time__silence_longer_than_the_deadline__not_waited_out():
    """One step never takes longer than what is left of the whole, whatever a step may take."""
    given_up, woken, in_time = threading.Event(), threading.Event(), []

    def silent(handler):
        in_time.append(given_up.wait(5))
        woken.set()
        reply()(handler)

    with serving(silent) as url:
        with pytest.raises(ServiceUnreachableError, match="within"):
            client(url, total_seconds=0.2, step_seconds=30.0).get("/")
        given_up.set()
        assert woken.wait(10)
    assert in_time == [True]


def test_compressed__refused():
    """A small answer that unpacks to a large one is not unpacked."""
    answer = reply(b"x", Content_Encoding="gzip")
    with serving(answer) as url, pytest.raises(ServiceUnreachableError, match="compressed"):
        client(url).get("/")


def test_get__connection_cut__asked_again():
    """What may be repeated is repeated a few times when the connection fails."""
    count = []

    def answer(handler):
        count.append(1)
        if len(count) == 1:
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        reply()(handler)

    with serving(answer) as url:
        assert client(url, attempts=2).get("/").status == 200


def test_post__connection_cut__sent_once():
    """What may have had an effect is never repeated here."""
    count = []

    def answer(handler):
        count.append(1)
        handler.connection.shutdown(socket.SHUT_RDWR)

    with serving(answer) as url, pytest.raises(ServiceUnreachableError):
        client(url, attempts=3).post("/", b"{}")
    assert len(count) == 1


def test_environment__proxy__not_used(monkeypatch):
    """No variable sends requests through somebody else's machine."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with serving(reply()) as url:
        assert client(url).get("/").status == 200


def test_printable__escapes_and_lines__one_harmless_line():
    """A stranger's text ends in one line that moves no cursor, and is cut."""
    assert printable("a\x1b[2J\nb\u202e") == "a\\x1b[2J b\\u202e"
    assert len(printable("x" * 10_000)) == 300


# --- events ---------------------------------------------------------------------------------------

STREAM = b": hello\nevent: a\ndata: 1\ndata: 2\n\nid: 7\r\ndata:3\r\n\r\nevent: cut\rdata: 4\r\rdata: lost"
EVENTS = [ServerEvent("a", b"1\n2"), ServerEvent("message", b"3"), ServerEvent("cut", b"4")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events__cut_anywhere__the_same(size):
    """The same events are read however the network cuts the stream; an unfinished one is dropped."""
    chunks = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert list(read_events(chunks, max_event_bytes=100)) == EVENTS


@pytest.mark.parametrize("chunks", [[b"data: " + b"x" * 200], [b"data: x\n"] * 50, [b"x" * 99, b"x" * 99]])
def test_events__too_large__refused(chunks):
    """An event without an end is not collected for ever, in one line or in many."""
    with pytest.raises(ServiceUnreachableError, match="at most 100 bytes"):
        list(read_events(chunks, max_event_bytes=100))


def test_events__too_many__refused():
    """A stream of small events ends somewhere."""
    with pytest.raises(ServiceUnreachableError, match="at most 10000 events"):
        list(read_events([b"data: x\n\n" * 10_001], max_event_bytes=100))
