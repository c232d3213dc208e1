package host

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/server/certificate"
)

// Config is everything an operator decides about a host. Start from
// DefaultConfig. Addresses are host:port; port 0 takes a free one.
type Config struct {
	// DataDir holds the store, the modules, large bodies and the admin token. One process at a
	// time may use it. Default "wasmoor-data".
	DataDir string
	// PublicAddr is where clients reach the plugins. Default 127.0.0.1:8080.
	PublicAddr string
	// AdminAddr is where operators reach the admin API. It always wants the
	// token. Default 127.0.0.1:8081.
	AdminAddr string
	// Listen, if not nil, opens the listener of a name, PublicListener or
	// AdminListener, at an address, or returns one that was open before, wherever
	// that is. The host closes it.
	Listen func(name, addr string) (net.Listener, error)
	// DrainDelay is how long a stopping host goes on as before while /readyz fails,
	// so that nobody sends it requests any more when it ends. Default 0.
	DrainDelay time.Duration
	// DrainTimeout is how long a stopping host waits for requests it has begun.
	// Default 30 s.
	DrainTimeout time.Duration
	// MaxConns is the number of public connections open at a time. There are fewer
	// where the process may not open so many files. Default 10000.
	MaxConns int
	// MaxConnsPerIP is the number of public connections open at a time from one
	// address of IPv4 or one /64 of IPv6; 0 = no such limit. TrustedProxies are
	// exempt. Default 0.
	MaxConnsPerIP int
	// MaxBodyMemory is how many bytes the bodies of all public requests may take
	// at a time; more are answered 503. Default 256 MiB.
	MaxBodyMemory int64
	// MaxReplyMemory is how many bytes the replies over 64 KiB may take until
	// clients have read them; more are answered 503. Default 256 MiB, at least the
	// largest reply that a manifest may allow.
	MaxReplyMemory int64
	// MaxHandlerMemory is how many bytes running handlers may take outside their
	// guests, for what they write, answer and send to others; more are answered 503.
	// Each has 64 KiB that do not count. Default 256 MiB, at least 96 MiB, which is
	// what one handler may need.
	MaxHandlerMemory int64
	// MaxBodyDisk is how many bytes the files of public requests' bodies over
	// 1 MiB may take at a time; more are answered 503. Default 1 GiB.
	MaxBodyDisk int64
	// MaxGuestMemory is how many bytes the memories of all plugins' instances may
	// have together. Idle instances make room; a request that finds none even so
	// waits for some and is answered 503 at its deadline, a guest that grows beyond
	// it is told that it cannot. Default 1 GiB.
	MaxGuestMemory int64
	// Build starts the process that builds modules: a command line, whose program
	// must be this very one and call BuildArtefact. It is lost, and not this
	// process, when a module takes too much to compile or initialise. Empty builds
	// in this process, where the two limits below do not hold: for trusted modules
	// only. Default none; cmd/wasmoor names itself.
	Build []string
	// MaxBuildMemory is how many bytes of address space all builds of modules may
	// take together, in processes of their own: in addition to MaxGuestMemory and not
	// from it, so that a deploy turns no request away. A build may take four times
	// the memory of its plugin's instances, at least 256 MiB, and 64 times the size of
	// its module, but no more than three quarters of the whole for an upload: the rest
	// is for plugins that requests wait for. Default 3 GiB.
	MaxBuildMemory int64
	// MaxBuildTime is how much processor time building a module of up to 8 MiB may
	// take, and a larger one in proportion. How long it takes from start to end
	// depends on what else the machine does, and is not limited. Whole seconds.
	// Default 30 s.
	MaxBuildTime time.Duration
	// MaxFunction is how many bytes one function of a module may have, or count as:
	// blocks, calls, locals and targets of branch tables make a compiler slower than
	// bytes do. Default 1 MiB.
	MaxFunction int64
	// MaxArtefactDisk is how many bytes what was built may take on disk, where it
	// is kept for the next start: those used longest ago go first. Default 4 GiB.
	MaxArtefactDisk int64
	// SleepAfter is how long a plugin may be without a request before its code and
	// its instances are unloaded; the next request loads them again. 0 = never.
	// Default 15 min.
	SleepAfter time.Duration
	// HeaderTimeout bounds the arrival of a request's line and header. Default 5 s.
	HeaderTimeout time.Duration
	// BodyTimeout bounds the arrival of a request's body after that. Default 30 s.
	BodyTimeout time.Duration
	// WriteTimeout bounds the sending of one response. Default 30 s.
	WriteTimeout time.Duration
	// IdleTimeout closes a kept-alive connection without requests. Default 60 s.
	IdleTimeout time.Duration
	// MinFreeDisk is the free space, in bytes, below which writes are refused
	// while reads go on; 0 = no such guard. Default 256 MiB.
	MinFreeDisk int64
	// ScrubPeriod is how long the scrub takes to verify all that is stored once, in
	// the background, again and again; 0 = no scrub. Default 24 h.
	ScrubPeriod time.Duration
	// KeepVersions, KeepDeployments and KeepEvents are how many of the newest
	// versions and deployments of a plugin, and of the newest events of the audit,
	// are kept; each change removes what is older. 0 = all. The version that serves
	// and the one before it stay. Defaults 100, 1000 and 100000.
	KeepVersions    int
	KeepDeployments int
	KeepEvents      int
	// TLSCert and TLSKey are PEM files: the certificate of the public listener
	// with its chain, and its key. When they are replaced, connections get the
	// new one within a second. Both or neither; default none, which is plain HTTP.
	TLSCert string
	TLSKey  string
	// TrustedProxies are networks ("10.0.0.0/8") or addresses, separated by
	// commas, of proxies before the public listener: what they say of the client
	// in X-Forwarded-For, -Proto and -Host is taken. Default none.
	TrustedProxies string
	// ShowErrors tells clients why a plugin failed. For an author's own machine:
	// the text may quote the guest. Default false.
	ShowErrors bool

	// OutboundAllowNetworks are networks ("10.1.0.0/16") or addresses, separated by
	// commas, that plugins may call in addition to public ones. A plugin still needs a
	// grant for each host. Default none.
	OutboundAllowNetworks string

	// Log receives the host's records, among them one for each request that failed,
	// within bounds for each plugin. nil drops them. Requests wait for it, and for
	// the other two, so they must not wait for a reader.
	Log *slog.Logger
	// GuestLog receives what guests log, within bounds for each plugin. Default
	// Log.
	GuestLog *slog.Logger
	// AccessLog receives records of requests. Default Log.
	AccessLog *slog.Logger
	// AccessLogApart says that AccessLog goes elsewhere than Log. Requests that
	// failed then have a record in both.
	AccessLogApart bool
	// AccessLogSample is how many requests one record of the access log stands for:
	// 1 = each has one; 0 = none has. Above 1, requests that failed or took a second
	// have one even so. Default 1.
	AccessLogSample int
}

// DefaultConfig returns the configuration of a host on the loopback interface.
func DefaultConfig() Config {
	return Config{
		DataDir:          "wasmoor-data",
		PublicAddr:       "127.0.0.1:8080",
		AdminAddr:        "127.0.0.1:8081",
		DrainTimeout:     30 * time.Second,
		MaxConns:         10_000,
		MaxBodyMemory:    256 << 20,
		MaxReplyMemory:   256 << 20,
		MaxHandlerMemory: 256 << 20,
		MaxBodyDisk:      1 << 30,
		MaxGuestMemory:   1 << 30,
		SleepAfter:       15 * time.Minute,
		HeaderTimeout:    5 * time.Second,
		BodyTimeout:      30 * time.Second,
		WriteTimeout:     30 * time.Second,
		IdleTimeout:      60 * time.Second,
		MinFreeDisk:      256 << 20,

		KeepVersions:    100,
		KeepDeployments: 1000,
		KeepEvents:      100_000,

		AccessLogSample: 1,
		ScrubPeriod:     24 * time.Hour,

		MaxBuildMemory:  3 << 30,
		MaxBuildTime:    30 * time.Second,
		MaxFunction:     1 << 20,
		MaxArtefactDisk: 4 << 30,
	}
}

// minFreeDisk is what the store may write without a commit, when it compacts: a
// disk that fills up then ends the process.
const minFreeDisk = 128 << 20

// leastHandlerMemory is for the largest reply that a manifest may name (64 MiB),
// the bodies of calls (16 MiB), and the writes of an invocation.
const leastHandlerMemory = 96 << 20

// Validate returns an Invalid fault that names a key that is wrong.
func (c Config) Validate() error {
	if c.DataDir == "" {
		return badConfig("data", "name a directory")
	}
	for key, addr := range map[string]string{"public": c.PublicAddr, "admin": c.AdminAddr} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return badConfig(key, fmt.Sprintf("%q is not host:port", addr))
		}
	}
	for key, d := range map[string]time.Duration{
		"drain_timeout": c.DrainTimeout, "header_timeout": c.HeaderTimeout,
		"body_timeout": c.BodyTimeout, "write_timeout": c.WriteTimeout, "idle_timeout": c.IdleTimeout,
	} {
		if d <= 0 {
			return badConfig(key, "it must be above 0, e.g. 30s")
		}
	}
	for key, n := range map[string]int64{
		"max_conns": int64(c.MaxConns), "max_body_memory": c.MaxBodyMemory,
		"max_body_disk": c.MaxBodyDisk, "max_guest_memory": c.MaxGuestMemory,
		"max_build_memory": c.MaxBuildMemory, "max_artefact_disk": c.MaxArtefactDisk,
		"max_function": c.MaxFunction,
	} {
		if n <= 0 {
			return badConfig(key, "it must be above 0")
		}
	}
	if c.MaxHandlerMemory < leastHandlerMemory {
		return badConfig("max_handler_memory", "it must be at least "+limit.FormatSize(leastHandlerMemory)+", what one handler may need")
	}
	if least := limit.Maximum().ResponseBody; c.MaxReplyMemory < least {
		return badConfig("max_reply_memory", "it must be at least "+limit.FormatSize(least)+", the largest response_body a manifest may name")
	}
	if c.AccessLogSample < 0 {
		return badConfig("access_log_sample", "it must be at least 0: 1 logs each request, 100 one in a hundred, 0 none")
	}
	if c.MaxBuildTime < time.Second || c.MaxBuildTime%time.Second != 0 {
		return badConfig("max_build_time", "it must be whole seconds, at least 1s")
	}
	for key, n := range map[string]int{"keep_versions": c.KeepVersions, "keep_deployments": c.KeepDeployments, "keep_events": c.KeepEvents} {
		if n < 0 {
			return badConfig(key, "it must be at least 0; 0 = all")
		}
	}
	if c.DrainDelay < 0 {
		return badConfig("drain_delay", "it must be at least 0, e.g. 5s")
	}
	if c.MaxConnsPerIP < 0 {
		return badConfig("max_conns_per_ip", "it must be at least 0; 0 = no limit")
	}
	if c.SleepAfter < 0 {
		return badConfig("sleep_after", "it must be at least 0, e.g. 15m, or 0 for never")
	}
	if c.ScrubPeriod < time.Minute && c.ScrubPeriod != 0 {
		return badConfig("scrub_period", "it must be at least 1m, e.g. 24h, or 0 for no scrub")
	}
	if c.MinFreeDisk < minFreeDisk && c.MinFreeDisk != 0 {
		return badConfig("min_free_disk", "it must be at least 128MiB, which the store needs to tidy up in, or 0 for no guard")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return badConfig("tls_cert", "tls_cert and tls_key go together; name both files or neither")
	}
	if _, err := c.trustedProxies(); err != nil {
		return err
	}
	_, err := c.network()
	return err
}

// Check returns why New would refuse c, as far as can be told beside a host that has
// the data directory open: the configuration, the certificate, the formats of the
// data.
func Check(c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if c.TLSCert != "" {
		if _, err := certificate.Load(c.TLSCert, c.TLSKey, c.Log); err != nil {
			return err
		}
	}
	return checkFormats(c.DataDir)
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

func badConfig(key, why string) error {
	return fault.New(fault.Invalid, "", fmt.Sprintf("configuration key %q: %s", key, why))
}

// TokenFile returns the path of the admin token under a data directory.
func TokenFile(dataDir string) string { return filepath.Join(dataDir, "admin.token") }
