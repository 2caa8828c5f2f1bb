"""URLs that strangers would write: what each of them is refused for, before anything is connected to."""

from __future__ import annotations

from typing import Final

PRIVATE: Final = "is not a public address"
UNUSUAL: Final = "is an address in an unusual form"
NO_HOST: Final = "the URL names no host"
NO_NAME: Final = "neither a name nor an address"
UNREADABLE: Final = "the URL cannot be read"
SCHEME: Final = r"only http:, https: and data: URLs are fetched"
PORT: Final = "is not one that pictures are fetched from"
CREDENTIALS: Final = "carries credentials"
FILE: Final = "file: pictures are read only below a folder"

REFUSED: Final = {
    # This machine, in plain forms.
    "http://127.0.0.1/": PRIVATE,
    "https://127.0.0.1/": PRIVATE,
    "http://127.255.255.254/": PRIVATE,
    "http://0.0.0.0/": PRIVATE,
    "http://localhost/": PRIVATE,
    "http://LOCALHOST/": PRIVATE,
    "http://localhost./": PRIVATE,
    "http://anything.localhost/": PRIVATE,
    "http://localtest.example/": PRIVATE,
    "http://[::1]/": PRIVATE,
    "http://[::]/": PRIVATE,
    "http://[0:0:0:0:0:0:0:1]/": PRIVATE,
    "http://[0000::0001]/": PRIVATE,
    # In forms that resolvers of old read: decimal, octal, hex, short, mixed.
    "http://2130706433/": UNUSUAL,
    "http://017700000001/": UNUSUAL,
    "http://0x7f000001/": UNUSUAL,
    "http://0X7F000001/": UNUSUAL,
    "http://127.1/": UNUSUAL,
    "http://127.0.1/": UNUSUAL,
    "http://0177.0.0.1/": UNUSUAL,
    "http://0x7f.0.0.1/": UNUSUAL,
    "http://0x7f.1/": UNUSUAL,
    "http://127.0.0.0x1/": UNUSUAL,
    "http://00000177.0.0.1/": UNUSUAL,
    "http://127.0.0.1./": UNUSUAL,
    "http://0/": UNUSUAL,
    "http://0x/": UNUSUAL,
    "http://256.256.256.256/": UNUSUAL,
    "http://127.0.0.257/": UNUSUAL,
    "http://4294967297/": UNUSUAL,
    # In other scripts' digits and dots.
    "http://①②⑦.⓪.⓪.①/": PRIVATE,
    "http://127。0。0。1/": PRIVATE,
    "http://１２７.０.０.１/": PRIVATE,
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/": PRIVATE,
    "http://%31%32%37.0.0.1/": f"{PRIVATE}|{NO_NAME}|{UNUSUAL}|{UNREADABLE}",
    "http://127%2e0%2e0%2e1/": f"{PRIVATE}|{NO_NAME}|{UNUSUAL}|{UNREADABLE}",
    # v4 inside v6.
    "http://[::ffff:127.0.0.1]/": PRIVATE,
    "http://[::ffff:7f00:1]/": PRIVATE,
    "http://[::127.0.0.1]/": PRIVATE,
    "http://[::ffff:0:127.0.0.1]/": PRIVATE,
    "http://[64:ff9b::127.0.0.1]/": PRIVATE,
    "http://[64:ff9b::a9fe:a9fe]/": PRIVATE,
    "http://[64:ff9b:1::7f00:1]/": PRIVATE,
    "http://[2002:7f00:1::]/": PRIVATE,
    "http://[2002:a9fe:a9fe::]/": PRIVATE,
    "http://[2001:0:0:0:0:0:80ff:fffe]/": PRIVATE,
    # Neighbours and their services.
    "http://10.0.0.1/": PRIVATE,
    "http://172.16.0.1/": PRIVATE,
    "http://172.31.255.255/": PRIVATE,
    "http://192.168.0.1/": PRIVATE,
    "http://100.64.0.1/": PRIVATE,
    "http://198.18.0.1/": PRIVATE,
    "http://[fe80::1]/": PRIVATE,
    "http://[fe80::1%25eth0]/": f"{PRIVATE}|{UNREADABLE}",
    "http://[fec0::1]/": PRIVATE,
    "http://[fc00::1]/": PRIVATE,
    "http://224.0.0.1/": PRIVATE,
    "http://239.255.255.250:80/": PRIVATE,
    "http://255.255.255.255/": PRIVATE,
    "http://240.0.0.1/": PRIVATE,
    "http://[ff02::1]/": PRIVATE,
    # Metadata services of clouds.
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/": PRIVATE,
    "http://169.254.170.2/v2/credentials": PRIVATE,
    "http://[fd00:ec2::254]/latest/meta-data/": PRIVATE,
    "http://100.100.100.200/latest/meta-data/": PRIVATE,
    "http://192.0.0.192/latest/": PRIVATE,
    "http://168.63.129.16/machine": PRIVATE,
    "http://metadata.google.internal/computeMetadata/v1/": PRIVATE,
    "http://2852039166/latest/meta-data/": UNUSUAL,
    "http://0xa9fea9fe/latest/meta-data/": UNUSUAL,
    "http://[::ffff:a9fe:a9fe]/latest/meta-data/": PRIVATE,
    # Confused parsers.
    "http://public.example@127.0.0.1/": f"{PRIVATE}|{CREDENTIALS}",
    "http://127.0.0.1@public.example/": CREDENTIALS,
    "http://me:pass@public.example/": CREDENTIALS,
    "http://:@public.example/": CREDENTIALS,
    "http://127.0.0.1\\@public.example/": f"{CREDENTIALS}|{NO_NAME}|{UNREADABLE}",
    "http://127.0.0.1#@public.example/": PRIVATE,
    "http://127.0.0.1?@public.example/": PRIVATE,
    "http://public.example#@127.0.0.1:22/@": "cannot be resolved",
    "http:127.0.0.1/": NO_HOST,
    "http:/127.0.0.1/": NO_HOST,
    "http:///127.0.0.1/": NO_HOST,
    "http://": NO_HOST,
    "http://[::1": UNREADABLE,
    "http://[127.0.0.1]/": f"{UNREADABLE}|{PRIVATE}",
    "http://exa mple.example/": f"{NO_NAME}|{UNREADABLE}",
    "http://a..b/": f"{NO_NAME}|{UNREADABLE}",
    "http://127.0.0.1\r\nHost: public.example/": f"{PRIVATE}|{NO_NAME}|{UNREADABLE}",
    "http://public.example\x00.127.0.0.1/": f"{NO_NAME}|{UNREADABLE}|{UNUSUAL}",
    "http://public.example:99999/": UNREADABLE,
    "http://public.example:-1/": f"{UNREADABLE}|{PORT}",
    # Ports of other services.
    "http://public.example:22/": PORT,
    "http://public.example:25/": PORT,
    "http://public.example:6379/": PORT,
    "http://public.example:9092/": PORT,
    "https://public.example:8443/": PORT,
    "http://public.example:0/": PORT,
    # Other schemes.
    "file:///etc/passwd": FILE,
    "file://localhost/etc/passwd": FILE,
    "FILE:/etc/passwd": FILE,
    "ftp://public.example/x.png": SCHEME,
    "gopher://127.0.0.1:6379/_FLUSHALL": SCHEME,
    "dict://127.0.0.1:11211/stats": SCHEME,
    "ldap://127.0.0.1/": SCHEME,
    "jar:http://127.0.0.1!/": SCHEME,
    "javascript:alert(1)": SCHEME,
    "blob:http://public.example/x": SCHEME,
    "ws://127.0.0.1/": SCHEME,
    " http://127.0.0.1/": SCHEME,
    "//127.0.0.1/x.png": SCHEME,
    "x.png": SCHEME,
    "": SCHEME,
    "http://public.example/" + "a" * 10_000: "longer than 8192 characters",
}

NAMES: Final = {
    "localhost": ["127.0.0.1"],
    "localhost.": ["127.0.0.1"],
    "anything.localhost": ["127.0.0.1"],
    "localtest.example": ["127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    # Names whose owner answers with what is nobody's business.
    "mixed.example": ["93.184.215.14", "10.0.0.7"],
    "mixed-the-other-way.example": ["10.0.0.7", "93.184.215.14"],
    "v6.example": ["::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "nat64.example": ["64:ff9b::a9fe:a9fe"],
    "6to4.example": ["2002:7f00:1::1"],
    "zero.example": ["0.0.0.0"],
    "link.example": ["fe80::1%1"],
    "metadata.example": ["169.254.169.254"],
    "multicast.example": ["224.0.0.1"],
    "shared.example": ["100.64.0.1"],
}
"""What the fake name server answers; it knows no others."""

REBOUND: Final = tuple(name for name in NAMES if name.endswith(".example") and name != "localtest.example")

REDIRECTS: Final = (
    "http://127.0.0.2:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/",
    "http://192.168.1.1/",
    "//[::1]:{port}/",
    "//10.0.0.1/",
    "http://[::ffff:10.0.0.1]/",
    "http://[64:ff9b::10.0.0.1]/",
    "http://2130706433:{port}/",
    "http://0x7f.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://①②⑦.0.0.①/",
    "http://localhost:{port}/",
    "http://metadata.example/",
    "http://mixed.example/",
    "http://127.0.0.1:22/",
    "http://127.0.0.1:6379/",
    "https://127.0.0.1:8443/",
    "http://me:pass@127.0.0.1:{port}/",
    "http://[",
    "file:///etc/passwd",
    "data:image/png;base64,iVBORw0KGgo=",
    "ftp://127.0.0.1/",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "javascript:alert(1)",
)
"""Where a server sends us; only 127.0.0.1 at its own {port} may be connected to."""
