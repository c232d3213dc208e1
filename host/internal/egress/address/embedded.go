package address

import "net/netip"

// Prefixes whose addresses stand for addresses of IPv4, which a translator or the
// end of a tunnel takes out of them.
var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")                // RFC 6052
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48")              // RFC 8215
	sixToFour  = netip.MustParsePrefix("2002::/16")                   // RFC 3056
	teredo     = netip.MustParsePrefix("2001::/32")                   // RFC 4380
	compatible = netip.MustParsePrefix("::/96")                       // RFC 4291
	translated = netip.MustParsePrefix("::ffff:0:0:0/96")             // RFC 2765 (SIIT)
	thisNet    = netip.MustParsePrefix("0.0.0.0/8")                   // nobody's address
	isatap     = [...][4]byte{{0, 0, 0x5e, 0xfe}, {2, 0, 0x5e, 0xfe}} // RFC 5214, before the address
)

// embedded returns the addresses of IPv4 that an address may stand for.
func embedded(a netip.Addr) []netip.Addr {
	if !a.Is6() {
		return nil
	}
	a = a.WithZone("")
	b := a.As16()
	switch {
	case nat64.Contains(a), a.Is4In6(), translated.Contains(a):
		return []netip.Addr{four(b, 12, 13, 14, 15)}
	case nat64Local.Contains(a):
		return local(b)
	case sixToFour.Contains(a):
		return append(ofISATAP(b), four(b, 2, 3, 4, 5))
	case teredo.Contains(a):
		client := b
		for i := 12; i < 16; i++ {
			client[i] = ^b[i]
		}
		return []netip.Addr{four(b, 4, 5, 6, 7), four(client, 12, 13, 14, 15)}
	case compatible.Contains(a):
		return ofNet([]netip.Addr{four(b, 12, 13, 14, 15)}) // :: and ::1 are none
	}
	return ofISATAP(b)
}

// local returns what an address of NAT64's local prefix may stand for. Where the
// address of IPv4 begins depends on the length of the prefix that a site uses,
// which nobody tells; the byte 8 is always skipped (RFC 6052, 2.2).
func local(b [16]byte) []netip.Addr {
	found := ofNet([]netip.Addr{
		four(b, 6, 7, 9, 10), four(b, 7, 9, 10, 11), four(b, 9, 10, 11, 12), four(b, 12, 13, 14, 15),
	})
	if len(found) == 0 {
		return []netip.Addr{four(b, 12, 13, 14, 15)}
	}
	return found
}

func ofISATAP(b [16]byte) []netip.Addr {
	for _, mark := range isatap {
		if [4]byte(b[8:12]) == mark {
			return []netip.Addr{four(b, 12, 13, 14, 15)}
		}
	}
	return nil
}

// ofNet leaves out what cannot be anybody's address.
func ofNet(list []netip.Addr) (kept []netip.Addr) {
	for _, a := range list {
		if !thisNet.Contains(a) {
			kept = append(kept, a)
		}
	}
	return kept
}

func four(b [16]byte, i, j, k, l int) netip.Addr {
	return netip.AddrFrom4([4]byte{b[i], b[j], b[k], b[l]})
}
