package host

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/policy"
	"github.com/wasmoor/wasmoor/host/internal/secret"
	"github.com/wasmoor/wasmoor/host/internal/server/certificate"
)

// Check returns why New would refuse c, as far as can be told beside a host that has
// the data directory open: the configuration, the certificate, the key of the secrets,
// the formats of the data.
func Check(c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if _, _, err := c.certificates(); err != nil {
		return err
	}
	if _, err := policy.Load(c.Policy); err != nil {
		return err
	}
	return cmp.Or(c.checkKey(), CheckFolder(c.DataDir))
}

// checkKey reads the keys of the secrets, unless a start would make the first one.
func (c Config) checkKey() (err error) {
	if c.SecretsKey == "" {
		return secret.Check(c.secretsKeyFile())
	}
	_, err = c.ring()
	return err
}

// certificates returns those of the listeners; nil for one that does not speak TLS.
func (c Config) certificates() (public, admin *certificate.Certificate, err error) {
	if c.TLSCert != "" {
		if public, err = certificate.Load(c.TLSCert, c.TLSKey, c.Log); err != nil {
			return nil, nil, err
		}
	}
	if c.AdminTLSCert != "" {
		admin, err = certificate.Load(c.AdminTLSCert, c.AdminTLSKey, c.Log)
	}
	return public, admin, err
}

// network returns what plugins' calls may reach.
func (c Config) network() (egress.Network, error) {
	allow, err := networks("outbound_allow_networks", c.OutboundAllowNetworks)
	return egress.Network{Allow: allow}, err
}

// trustedProxies returns the networks of the proxies in front.
func (c Config) trustedProxies() ([]netip.Prefix, error) {
	return networks("trusted_proxies", c.TrustedProxies)
}

// networks reads the value of a key: networks and addresses, separated by
// commas. 10.0.0.1/8 is none: whoever writes it means one address or a network,
// and not both.
func networks(key, text string) (list []netip.Prefix, err error) {
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		network, err := netip.ParsePrefix(item)
		if addr, notAddr := netip.ParseAddr(item); notAddr == nil && addr.Zone() == "" {
			network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		switch {
		case err != nil || network.Addr().Is4In6():
			return nil, badConfig(key, fmt.Sprintf("%q is not a network like 10.0.0.0/8, nor an address", item))
		case network != network.Masked():
			return nil, badConfig(key, fmt.Sprintf("%q is not a network: write %s, or the address alone", item, network.Masked()))
		}
		list = append(list, network)
	}
	return list, nil
}
