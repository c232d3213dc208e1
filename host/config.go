package host

import (
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/server/admin"
	"github.com/wasmoor/wasmoor/host/internal/server/public"
	"github.com/wasmoor/wasmoor/host/internal/server/socket"
)

// Config is everything an operator decides about a host. Start from
// DefaultConfig. Addresses are host:port, of which port 0 takes a free one, or
// unix:PATH.
type Config struct {
	// DataDir holds the store, the modules, large bodies and the admin token. One process at a
	// time may use it. Default "wasmoor-data".
	DataDir string
	// TokenFile holds the admin token; it is made if need be. Default admin.token in
	// DataDir.
	TokenFile string
	// SecretsKeyFile holds the key that the secrets of plugins are sealed with; it is
	// made if need be. Keep a copy elsewhere: no backup holds it. Default secrets.key in
	// DataDir.
	SecretsKeyFile string
	// SecretsKey, if not empty, is that key in place of the file: 32 bytes in base64;
	// more keys, with commas or line ends between, open what is not sealed with the first.
	// SecretsKeySource says where it comes from.
	SecretsKey       string
	SecretsKeySource string
	// PublicAddr is where clients reach the plugins. Default 127.0.0.1:8080.
	PublicAddr string
	// AdminAddr is where operators reach the admin API. It always wants the
	// token. Default 127.0.0.1:8081.
	AdminAddr string
	// AdminTLSCert and AdminTLSKey are PEM files: the admin listener speaks TLS with
	// them. Replaced files are taken up. Default none: it speaks HTTP.
	AdminTLSCert string
	AdminTLSKey  string
	// AdminAllow are the networks and addresses that requests of the admin API may
	// come from, separated by commas. Default "": any. A unix socket is not asked.
	AdminAllow string
	// MetricsAddr is where the metrics are shown to everyone who reaches it, without a
	// token. The admin listener shows them too, to who has one. Default none.
	MetricsAddr string
	// Listen, if not nil, opens the listener of a name, PublicListener, AdminListener
	// or MetricsListener, at an address, or returns one that was open before, wherever
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
	// MaxSockets and MaxSocketsPerIP are these for sockets. Defaults 10000, and 0: no limit.
	MaxSockets, MaxSocketsPerIP int
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
	// Clock tells the time that plugins perceive and that data expires by. It must not
	// go back while the host lives. Deadlines, the log and a module that reads the time
	// while it initialises have the machine's own. Default time.Now.
	Clock func() time.Time
	// ArtefactDir, if not empty, holds what was built, with the key it is sealed with,
	// and hosts may share it (ShareArtefacts). Default DataDir, where what no version
	// names is removed.
	ArtefactDir string
	// MaxArtefactDisk is how many bytes what was built may take on disk, where it
	// is kept for the next start: those used longest ago go first. Default 4 GiB.
	MaxArtefactDisk int64
	// SleepAfter is how long a plugin may be without a request before its code and
	// its instances are unloaded; the next request loads them again. 0 = never.
	// Default 15 min.
	SleepAfter time.Duration
	// HeaderTimeout bounds the arrival of a request's line and header. Default 5 s.
	HeaderTimeout time.Duration
	// BodyTimeout bounds the arrival of a body, of each MiB if it has more. Default 30 s.
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
	// Blobs is where the bytes of blobs are: an absolute path, or s3://bucket/prefix
	// (package bucket). Default the folder blobs in DataDir.
	Blobs string
	// ShipTo, if not empty, is where commits are shipped to: an absolute path, or
	// s3://bucket/prefix (package bucket). Default none.
	ShipTo string
	// ShipEvery is how long after it a commit is there at most, if the place keeps up.
	// Default 10 s.
	ShipEvery time.Duration
	// ShipBaseEvery is the time between two bases: a restore reads one, and the
	// commits since. Default 24 h.
	ShipBaseEvery time.Duration
	// ShipKeep is for how long one can go back. Default 7 days.
	ShipKeep time.Duration
	// ShipRecipients, if not empty, are age recipients for whom it is encrypted, with
	// commas between them.
	ShipRecipients string
	// KeepVersions, KeepDeployments and KeepEvents are how many of the newest
	// versions and deployments of a plugin, and of the newest events of the audit,
	// are kept; each change removes what is older. 0 = all. The version that serves
	// and the one before it stay. Defaults 100, 1000 and 100000.
	KeepVersions int
	// KeepVersionsAge is how old versions may get, besides those that stay in any case
	// and the newest. 0 = as old as they like. Default 0.
	KeepVersionsAge time.Duration
	// Canary is the plan by which a new version takes over from the one that serves,
	// unless its deploy says otherwise: "1%:5m,25%:10m", or "default". Default none: at
	// once.
	Canary string
	// CanaryKey is by what a roll-out knows a client again: "ip", "cookie" or
	// "header:NAME". Default none: by its Authorization header, or else its address.
	CanaryKey       string
	KeepDeployments int
	KeepEvents      int
	// Policy is a TOML file of what is approved by rule. Default none.
	Policy string
	// BackupTo is where the host keeps backups of itself: a folder, or s3://bucket/prefix.
	// Default none, which makes no backups.
	BackupTo string
	// BackupEvery is how often, BackupKeep how many of the newest are kept, and
	// BackupKeepFor for how long others are too. Defaults 24 h, 7, and 0: no others.
	BackupEvery   time.Duration
	BackupKeep    int
	BackupKeepFor time.Duration
	// BackupRecipients are public keys of age, separated by commas, that backups are
	// encrypted for. Default none: they are not encrypted.
	BackupRecipients string
	// Told is what the program was told, as text for a person, which a backup
	// holds. No setting of a server.
	Told []byte
	// TLSCert and TLSKey are PEM files: the certificate of the public listener
	// with its chain, and its key. When they are replaced, connections get the
	// new one within a second. Both or neither; default none, which is plain HTTP.
	TLSCert string
	TLSKey  string
	// TrustedProxies are networks ("10.0.0.0/8") or addresses, separated by
	// commas, of proxies before the public listener: what they say of the client
	// in X-Forwarded-For, -Proto and -Host is taken. Default none.
	TrustedProxies string
	// Settings is where all this was written, for operators who ask; nil = it is part
	// of a program.
	Settings admin.Settings
	// Author, if not nil, makes the host one on an author's own machine, whose clients
	// are told why a plugin failed. Default nil, and no setting of a server.
	Author *Author

	// OutboundAllowNetworks are networks ("10.1.0.0/16") or addresses, separated by
	// commas, that plugins may call in addition to public ones. A plugin still needs a
	// grant for each host. Default none.
	OutboundAllowNetworks string

	// ServerTiming has answers of plugins say in Server-Timing where their time went,
	// to whoever reads them. Default false.
	ServerTiming bool
	// Getenv, if not nil, looks up the environment variables of OpenTelemetry, which
	// may ask for traces. Default nil, without traces.
	Getenv func(name string) string

	// Watch, if not empty, is a folder of modules that the host deploys: NAME.wasm is
	// plugin NAME, and a file that changes is a new version. Default none.
	Watch string

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
	// LogDropped, if not nil, returns how many lines of the three had no room on their
	// way out, for the metrics.
	LogDropped      func() int64
	AccessLogAgents bool // adds the user agent and the referer to records of AccessLog
	// AccessLogSample is how many requests one record of the access log stands for:
	// 1 = each has one; 0 = none has. Above 1, requests that failed or took a second
	// have one even so. Default 1.
	AccessLogSample int
}

// Author is what clients of a host on an author's own machine are told.
type Author = public.Author

// DefaultConfig returns the configuration of a host on the loopback interface.
func DefaultConfig() Config {
	return Config{
		DataDir:          "wasmoor-data",
		PublicAddr:       "127.0.0.1:8080",
		AdminAddr:        "127.0.0.1:8081",
		DrainTimeout:     30 * time.Second,
		MaxConns:         10_000,
		MaxSockets:       10_000,
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

		ShipEvery:     10 * time.Second,
		ShipBaseEvery: 24 * time.Hour,
		ShipKeep:      7 * 24 * time.Hour,

		KeepVersions:    100,
		KeepDeployments: 1000,
		KeepEvents:      100_000,

		AccessLogSample: 1,
		ScrubPeriod:     24 * time.Hour,

		BackupEvery: 24 * time.Hour,
		BackupKeep:  7,

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
	for key, addr := range map[string]string{"public": c.PublicAddr, "admin": c.AdminAddr, "metrics": c.MetricsAddr} {
		if err := socket.Check(addr); err != nil && (addr != "" || key != "metrics") {
			return badConfig(key, err.Error())
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
		"max_conns": int64(c.MaxConns), "max_sockets": int64(c.MaxSockets), "max_body_memory": c.MaxBodyMemory,
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
	if c.KeepVersionsAge < 0 {
		return badConfig("keep_versions_age", "it must be at least 0, e.g. 720h; 0 = as old as they like")
	}
	if _, err := plugin.ParseCanary(c.Canary, ""); err != nil {
		return badConfig("canary", fault.MessageOf(err))
	}
	if _, err := plugin.ParseCanary("", c.CanaryKey); err != nil {
		return badConfig("canary_key", fault.MessageOf(err))
	}
	if c.DrainDelay < 0 {
		return badConfig("drain_delay", "it must be at least 0, e.g. 5s")
	}
	for key, n := range map[string]int{"max_conns_per_ip": c.MaxConnsPerIP, "max_sockets_per_ip": c.MaxSocketsPerIP} {
		if n < 0 {
			return badConfig(key, "it must be at least 0; 0 = no limit")
		}
	}
	if c.SleepAfter < 0 {
		return badConfig("sleep_after", "it must be at least 0, e.g. 15m, or 0 for never")
	}
	if c.ShipEvery < time.Second || c.ShipBaseEvery < time.Minute || c.ShipKeep < c.ShipBaseEvery {
		return badConfig("ship_every", "it must be at least 1s, ship_base_every at least 1m, and ship_keep at least ship_base_every")
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
	if _, err := c.backupPlan(); err != nil {
		return err
	}
	if (c.AdminTLSCert == "") != (c.AdminTLSKey == "") {
		return badConfig("admin_tls_cert", "admin_tls_cert and admin_tls_key go together; name both files or neither")
	}
	if _, err := networks("admin_allow", c.AdminAllow); err != nil {
		return err
	}
	if _, err := c.trustedProxies(); err != nil {
		return err
	}
	_, err := c.network()
	return err
}

func badConfig(key, why string) error {
	return fault.New(fault.Invalid, "", fmt.Sprintf("configuration key %q: %s", key, why))
}

// TokenFile returns the path of the admin token under a data directory.
func TokenFile(dataDir string) string { return filepath.Join(dataDir, "admin.token") }
