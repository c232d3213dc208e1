// Package egresstest is for tests of calls to other services: spellings of
// destinations that plugins may not reach, names that lead there, and a
// listener that notices who comes. Only tests import it.
package egresstest

import (
	"net/netip"
	"strings"
)

// forbiddenHosts are spellings of loopback, of this machine, of metadata
// services and of private networks. PORT follows each of them.
var forbiddenHosts = []string{
	// Dotted quads and what inet_aton makes of less.
	"127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "127.1.1.1", "127.255.255.254", "0.0.0.0", "0", "0.0", "0.0.0",
	// Decimal, octal, hexadecimal, mixed, overflowing.
	"2130706433", "02130706433", "4294967295", "4294967296", "6425673729", "017700000001", "0177.0.0.1", "0177.0.0.01", "0177.1", "00177.0.0.1",
	"0x7f000001", "0X7F000001", "0x7f.0.0.1", "0x7f.1", "0x7f.0x0.0x0.0x1", "0x7f.0.0.0x1", "127.0x0.1", "0177.0x0.0.1", "0x100000000", "0x0000007f000001",
	"127.0.0.1.", "127.0.0.01", "127.0.00.1", "127.000.000.001", "127.0.0.256", "256.127.0.0.1", "127.0.0.1.1", "127..0.1", ".127.0.0.1", "383.0.0.1",
	// IPv6 and the IPv4 within it.
	"[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:0:127.0.0.1]", "[::127.0.0.1]", "[::7f00:1]",
	"[0:0:0:0:0:ffff:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:0001::1]", "[2001:0:7f00:1::]",
	"[fe80::1]", "[fe80::1%25lo]", "[fe80::1%lo]", "[fe80::1%25eth0]", "[::1%25lo]", "[::1%251]", "[fc00::1]", "[fd00::1]", "[fec0::1]", "[ff02::1]", "[100::1]",
	"[2001:db8::1]", "[3fff::1]", "[5f00::1]", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "[127.0.0.1]", "[v1.127.0.0.1]", "::1", "[::1", "::1]",
	// Networks that are private, shared, local, special.
	"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "100.64.0.1", "100.127.255.255",
	"169.254.0.1", "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "192.0.0.1", "192.0.0.192", "192.0.2.1",
	"192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "0.1.2.3",
	// Names.
	"localhost", "LOCALHOST", "localhost.", "localhost..", "loop.test", "LOOP.test", "loop.test.", "zero.test", "six.test", "mapped.test",
	"private.test", "metadata.test", "rebind.test", "xn--localhost.test",
	// What parsers take apart differently.
	"user@127.0.0.1", "user:pass@127.0.0.1", "public.test@127.0.0.1", "public.test:80@127.0.0.1", "public.test%40127.0.0.1", "public.test#@127.0.0.1",
	"127.0.0.1%00.public.test", "127.0.0.1%20", "%31%32%37.0.0.1", "127.0.0.1%2e", "127%2e0%2e0%2e1", "public.test\\@127.0.0.1", "127.0.0.1\\.public.test",
	"127.0.0.1 ", " 127.0.0.1", "\t127.0.0.1", "127.0.0.1\r\n", "127.0.0.1\x00", "public.test\r\nHost: 127.0.0.1", "127.0.0.1,public.test", "127.0.0.1;public.test",
	// Other scripts: full-width, circled, ideographic dots, a soft hyphen, a dotless i.
	"１２７.0.0.1", "①②⑦.⓪.⓪.①", "127。0。0。1", "127．0．0．1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "local\u00adhost", "ｌｏｃａｌｈｏｓｔ", "lоcalhost", "127.0.0.1\u200b",
	"", "*", "*.test", "-", "..", "[", "]", "[]", "%", "@",
}

// forbiddenURLs are whole spellings with PORT for the canary's port.
var forbiddenURLs = []string{
	"http:127.0.0.1:PORT/", "http:/127.0.0.1:PORT/", "http:///127.0.0.1:PORT/", "http:////127.0.0.1:PORT/", "http:\\\\127.0.0.1:PORT\\", "http:/\\127.0.0.1:PORT/",
	"//127.0.0.1:PORT/", "127.0.0.1:PORT", "HTTP://127.0.0.1:PORT/", "hTTp://127.0.0.1:PORT/", " http://127.0.0.1:PORT/", "http://127.0.0.1:PORT",
	"ftp://127.0.0.1:PORT/", "file://127.0.0.1:PORT/", "gopher://127.0.0.1:PORT/", "ws://127.0.0.1:PORT/", "unix://127.0.0.1:PORT/", "data://127.0.0.1:PORT/", "javascript://127.0.0.1:PORT/",
	"http://127.0.0.1:+PORT/", "http://127.0.0.1:0PORT/", "http://127.0.0.1:PORT:80/", "http://127.0.0.1::PORT/", "http://127.0.0.1:PORT@public.test:PORT/", "https://127.0.0.1:PORT/",
	"http://127.0.0.1:PORT?x", "http://127.0.0.1:PORT#x", "http://127.0.0.1:PORT/\x7f", "http://127.0.0.1:PORT/ü", "view-source:http://127.0.0.1:PORT/",
}

// Spellings returns URLs that lead, or that a careless reader lets lead, to
// where plugins may not call, all with the port of a Canary.
func Spellings(port string) []string {
	var list []string
	for _, host := range forbiddenHosts {
		list = append(list, "http://"+host+":"+port+"/")
	}
	for _, u := range forbiddenURLs {
		list = append(list, strings.ReplaceAll(u, "PORT", port))
	}
	return list
}

// Zone returns the names of Spellings. public.test answers with an address of
// documentation: nobody is there, and the guard refuses it too.
func Zone() *Names {
	addr := netip.MustParseAddr
	return &Names{Answers: map[string][]netip.Addr{
		"loop.test": {addr("127.0.0.1")}, "zero.test": {addr("0.0.0.0")}, "six.test": {addr("::1")}, "mapped.test": {addr("::ffff:127.0.0.1")},
		"private.test": {addr("10.0.0.1")}, "metadata.test": {addr("169.254.169.254")},
		"rebind.test": {addr("192.0.2.7"), addr("127.0.0.1")}, "public.test": {addr("192.0.2.7")}, "xn--localhost.test": {addr("127.0.0.1")},
	}}
}
