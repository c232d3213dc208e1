package server

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/spelling"
)

const (
	settingsFile = "wasmoor-server.toml" // read from the working directory when it is there
	envPrefix    = "WASMOOR_"
)

// settings is everything `wasmoor serve` can be told. The keys are flat: those
// of host.Config and those of the log.
type settings struct {
	Host          host.Config `koanf:",squash"`
	LogLevel      string
	LogFormat     string
	AccessLogFile string
	// AccessLogFormat is that of the file.
	AccessLogFormat string

	level   *slog.LevelVar    // is LogLevel
	sources map[string]string // where each key was set
}

// isKeyOf reports whether key is that of a field of the settings.
func isKeyOf(key, field string) bool { return host.Key(field) == key }

func defaultSettings() settings {
	return settings{Host: host.DefaultConfig(), LogLevel: "info", LogFormat: formatAuto, AccessLogFormat: formatJSON, level: new(slog.LevelVar), sources: map[string]string{}}
}

const configUsage = "config file in TOML (env WASMOOR_CONFIG, default " + settingsFile + " when it is there)"

// addSettings adds --config and a flag for each key. A flag is named like its
// key, with - for _.
func addSettings(flags *pflag.FlagSet) {
	flags.String("config", "", configUsage)
	flags.AddFlagSet(settingFlags())
}

// buildKeys decide whether a server takes a module.
var buildKeys = []string{"max_build_memory", "max_build_time", "max_function"}

// AddBuild adds --config and a flag for each key that decides whether a server
// takes a module.
func (p *Commands) AddBuild(flags *pflag.FlagSet) {
	all := pflag.NewFlagSet("all", pflag.ContinueOnError)
	addSettings(all)
	for _, key := range append([]string{"config"}, buildKeys...) {
		flags.AddFlag(all.Lookup(strings.ReplaceAll(key, "_", "-")))
	}
}

// apart are the keys of serve that say where a server is and where it logs.
var apart = []string{"data", "secrets_key_file", "public", "admin", "admin_tls_cert", "admin_tls_key", "admin_allow", "metrics", "drain_delay", "policy", "log_level", "log_format", "access_log_sample", "access_log_file", "access_log_format"}

// AddServing adds --config and a flag for each key that decides how plugins are
// served. Those that AddBuild does not add are not in the help.
func (p *Commands) AddServing(flags *pflag.FlagSet) {
	flags.String("config", "", configUsage)
	settingFlags().VisitAll(func(f *pflag.Flag) {
		key := keyOf(f.Name)
		f.Hidden = !slices.Contains(buildKeys, key) && key != "outbound_allow_networks"
		if !slices.Contains(apart, key) {
			flags.AddFlag(f)
		}
	})
}

// Config returns what the flags of AddBuild or AddServing, the environment and the
// config file say of these keys. The other keys have their defaults, also where a
// flag of another meaning has the name of one.
func (p *Commands) Config(flags *pflag.FlagSet) (host.Config, error) {
	serving := pflag.NewFlagSet("serving", pflag.ContinueOnError)
	flags.VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(apart, keyOf(f.Name)) {
			serving.AddFlag(f)
		}
	})
	s, err := p.settings(serving)
	return s.Host, err
}

// settingFlags are the flags of the keys. Sizes are strings, so that "1GiB" can
// be written everywhere.
func settingFlags() *pflag.FlagSet {
	d := defaultSettings()
	flags := pflag.NewFlagSet("settings", pflag.ContinueOnError)
	flags.String("data", d.Host.DataDir, "folder of the store, the modules and the admin token")
	flags.String("secrets-key-file", d.Host.SecretsKeyFile, "file of the key that secrets are sealed with, made if need be; default secrets.key in the data folder")
	flags.String("public", d.Host.PublicAddr, "address where clients reach the plugins: host:port, or unix:PATH")
	flags.String("admin", d.Host.AdminAddr, "address of the admin API: host:port, or unix:PATH")
	flags.String("admin-tls-cert", d.Host.AdminTLSCert, "PEM file with the certificate of the admin API; replaced files are taken up")
	flags.String("admin-tls-key", d.Host.AdminTLSKey, "PEM file with the key of that certificate")
	flags.String("admin-allow", d.Host.AdminAllow, "networks that may reach the admin API, separated by commas (default any)")
	flags.String("metrics", d.Host.MetricsAddr, "address that shows the metrics without a token, e.g. 127.0.0.1:9464; none = the admin API alone does, to who has one")
	flags.Duration("drain-delay", d.Host.DrainDelay, "how long to go on as before when stopping, while /readyz fails")
	flags.Duration("drain-timeout", d.Host.DrainTimeout, "how long to wait for running requests when stopping")
	flags.Int("max-conns", d.Host.MaxConns, "public connections open at a time")
	flags.Int("max-conns-per-ip", d.Host.MaxConnsPerIP, "public connections open at a time from one address, or one /64 of IPv6; 0 = no limit")
	flags.Int("max-sockets", d.Host.MaxSockets, "sockets open at a time, WebSockets and event streams; they count no more among the connections")
	flags.Int("max-sockets-per-ip", d.Host.MaxSocketsPerIP, "sockets open at a time from one address, or one /64 of IPv6; 0 = no limit")
	flags.String("max-guest-memory", limit.FormatSize(d.Host.MaxGuestMemory), "memory that the instances of all plugins, and the code of those that are loaded, may have together")
	flags.Duration("sleep-after", d.Host.SleepAfter, "how long a plugin may be without a request before it is unloaded; 0 = for ever")
	flags.Duration("scrub-period", d.Host.ScrubPeriod, "how long the scrub takes to verify all that is stored once, in the background; 0 = no scrub")
	flags.String("max-build-memory", limit.FormatSize(d.Host.MaxBuildMemory), "memory that all builds of modules may take together, in addition to that of the instances")
	flags.Duration("max-build-time", d.Host.MaxBuildTime, "processor time that building a module of up to 8 MiB may take; a larger one in proportion")
	flags.String("max-function", limit.FormatSize(d.Host.MaxFunction), "code that one function of a module may have, or count as by its blocks, calls and locals")
	flags.String("max-artefact-disk", limit.FormatSize(d.Host.MaxArtefactDisk), "disk that built modules may take")
	flags.String("max-body-memory", limit.FormatSize(d.Host.MaxBodyMemory), "memory that the bodies of all public requests, and modules that are uploaded, may take")
	flags.String("max-handler-memory", limit.FormatSize(d.Host.MaxHandlerMemory), "memory that running handlers may take for what they write, answer and send")
	flags.String("max-reply-memory", limit.FormatSize(d.Host.MaxReplyMemory), "memory that answers may take until clients have read them")
	flags.String("max-body-disk", limit.FormatSize(d.Host.MaxBodyDisk), "disk that bodies over 1 MiB may take, which lie there and not in memory")
	flags.Duration("header-timeout", d.Host.HeaderTimeout, "how long a request's line and header may take to arrive")
	flags.Duration("body-timeout", d.Host.BodyTimeout, "how long its body may take after that")
	flags.Duration("write-timeout", d.Host.WriteTimeout, "how long a response may take to leave")
	flags.Duration("idle-timeout", d.Host.IdleTimeout, "how long an idle connection stays open")
	flags.String("min-free-disk", limit.FormatSize(d.Host.MinFreeDisk), "free disk space below which writes are refused")
	flags.Int("keep-versions", d.Host.KeepVersions, "newest versions of a plugin that are kept; 0 = all")
	flags.Duration("keep-versions-age", d.Host.KeepVersionsAge, "how old versions may get that neither serve nor are pinned; 0 = as old as they like")
	flags.String("canary", d.Host.Canary, "plan by which new versions take over, e.g. 1%:5m,5%:10m,25%:15m, or default; empty = at once")
	flags.String("canary-key", d.Host.CanaryKey, "by what a roll-out knows a client: ip, cookie or header:NAME; empty = its Authorization, or else its address")
	flags.Int("keep-deployments", d.Host.KeepDeployments, "newest deployments of a plugin that are kept; 0 = all")
	flags.Int("keep-events", d.Host.KeepEvents, "newest events of the audit that are kept; 0 = all")
	flags.String("policy", d.Host.Policy, "TOML file of what versions ask for that is approved by rule, and who may not approve")
	flags.String("blobs", d.Host.Blobs, "where the bytes of plugins' blobs are kept: /folder or s3://bucket/prefix; none = in the data directory")
	flags.String("ship-to", d.Host.ShipTo, "where commits are shipped to while they are made: /folder or s3://bucket/prefix")
	flags.Duration("ship-every", d.Host.ShipEvery, "how long after it a commit is there at most")
	flags.Duration("ship-base-every", d.Host.ShipBaseEvery, "time between two bases, each a whole store, from which a restore begins")
	flags.Duration("ship-keep", d.Host.ShipKeep, "for how long one can go back in what was shipped")
	flags.String("ship-recipients", d.Host.ShipRecipients, "age recipients for whom what is shipped is encrypted, separated by commas")
	flags.String("backup-to", d.Host.BackupTo, "place of the server's own backups: a folder, or s3://bucket/prefix; none = it makes no backups")
	flags.Duration("backup-every", d.Host.BackupEvery, "how often it makes one")
	flags.Int("backup-keep", d.Host.BackupKeep, "newest backups that are kept")
	flags.Duration("backup-keep-for", d.Host.BackupKeepFor, "how long older ones are kept as well")
	flags.String("backup-recipients", d.Host.BackupRecipients, "public keys of age that backups are encrypted for, separated by commas")
	flags.String("tls-cert", d.Host.TLSCert, "PEM file with the certificate of the public listener; replaced files are taken up")
	flags.String("tls-key", d.Host.TLSKey, "PEM file with the key of that certificate")
	flags.String("trusted-proxies", d.Host.TrustedProxies, "networks of proxies to believe about the client, separated by commas")
	flags.String("outbound-allow-networks", d.Host.OutboundAllowNetworks, "private networks plugins may call, separated by commas")
	flags.Bool("server-timing", d.Host.ServerTiming, "tell clients in Server-Timing where the time of their requests went")
	flags.String("watch", d.Host.Watch, "folder of modules to deploy: NAME.wasm is plugin NAME, a changed file a new version")
	flags.String("log-level", d.LogLevel, "debug, info, warn or error")
	flags.String("log-format", d.LogFormat, "text, json, or auto: text on a terminal")
	flags.Int("access-log-sample", d.Host.AccessLogSample, "log one in so many requests: 1 = each, 0 = none")
	flags.String("access-log-file", d.AccessLogFile, "file of the access log; else it is a part of the log")
	flags.String("access-log-format", d.AccessLogFormat, "of that file: json, text, common, or combined, which has the user agent and the referer too")
	return flags
}

func keyOf(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// keys lists every key of the settings.
func keys() []string {
	var names []string
	settingFlags().VisitAll(func(f *pflag.Flag) { names = append(names, keyOf(f.Name)) })
	return names
}

// settings reads the config file, the environment and the flags, the later over
// the earlier, as far as there are flags for them.
func (p *Commands) settings(flags *pflag.FlagSet) (settings, error) {
	k := koanf.New(".")
	if err := p.loadSettingsFile(k, flags); err != nil {
		return settings{}, err
	}
	if err := k.Load(env.Provider(".", env.Opt{EnvironFunc: p.settingsEnviron, TransformFunc: fromEnv}), nil); err != nil {
		return settings{}, fault.Wrap(fault.Internal, "read the environment", "", err)
	}
	if err := k.Load(posflag.ProviderWithFlag(flags, ".", k, fromFlag), nil); err != nil {
		return settings{}, fault.Wrap(fault.Internal, "read the flags", "", err)
	}
	s := defaultSettings()
	for _, key := range keys() {
		s.sources[key] = p.settingSource(flags, k, key)
	}
	for _, key := range k.Keys() {
		if flags.Lookup(strings.ReplaceAll(key, "_", "-")) == nil {
			continue // it is a server's alone
		}
		if err := s.set(key, k.Get(key)); err != nil {
			return settings{}, cli.Usage("%s: %v", s.sources[key], err)
		}
	}
	s.Host.Told = text(k)
	if err := s.Host.Validate(); err != nil {
		return settings{}, cli.Usage("%s", fault.MessageOf(err))
	}
	return s, p.secretsKey(&s.Host)
}

// text returns what is told otherwise than by default, as a config file.
func text(k *koanf.Koanf) []byte {
	data, err := k.Marshal(toml.Parser())
	if err != nil {
		return nil // it is for a person
	}
	return data
}

// set gives the field of key its value, which may be written as text.
func (s *settings) set(key string, value any) error {
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: s, WeaklyTypedInput: true, TagName: "koanf", MatchName: isKeyOf,
		DecodeHook: mapstructure.ComposeDecodeHookFunc(durationHook, sizeHook),
	})
	if err != nil {
		return err
	}
	err = decoder.Decode(map[string]any{key: commas(key, value)})
	if allowed, ok := errors.AsType[*formError](err); ok {
		return allowed
	}
	if err != nil {
		return &formError{fmt.Sprintf("%q is not what the setting takes; write e.g. %s", fmt.Sprint(value), example(key))}
	}
	return nil
}

// formError says what a value looks like and what it should look like.
type formError struct{ text string }

func (e *formError) Error() string { return e.text }

// commas turns a list of networks, as the config file may write it, into the
// text that the other sources have.
func commas(key string, value any) any {
	list, ok := value.([]any)
	if !ok || key != "trusted_proxies" && key != "outbound_allow_networks" && key != "admin_allow" {
		return value
	}
	items := make([]string, len(list))
	for i, item := range list {
		if items[i], ok = item.(string); !ok {
			return value
		}
	}
	return strings.Join(items, ", ")
}

// example returns the default of a setting, which has the form its values have.
func example(key string) string {
	return cmp.Or(settingFlags().Lookup(strings.ReplaceAll(key, "_", "-")).DefValue, `"a text"`)
}

// settingSource says where the value of a key comes from.
func (p *Commands) settingSource(flags *pflag.FlagSet, k *koanf.Koanf, key string) string {
	flag, variable := strings.ReplaceAll(key, "_", "-"), envPrefix+strings.ToUpper(key)
	switch {
	case flags.Changed(flag):
		return "--" + flag
	case p.Getenv(variable) != "":
		return variable
	case k.Exists(key):
		return "config file: " + key
	}
	return "default"
}

// loadSettingsFile reads the file of --config or WASMOOR_CONFIG, which must be
// there, or the default one, which need not.
func (p *Commands) loadSettingsFile(k *koanf.Koanf, flags *pflag.FlagSet) error {
	name, _ := flags.GetString("config")
	if name == "" {
		name = p.Getenv(envPrefix + "CONFIG")
	}
	named := name != ""
	if !named {
		name = settingsFile
	}
	data, err := p.readSettings(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return err
	case errors.Is(err, durable.ErrNotRegular):
		return cli.Usage("config file %s: it is not a regular file; a server reads it again at each reload, so write it to a file", name)
	case err != nil && p.Context().Err() != nil:
		return err
	case err != nil:
		return cli.Usage("config file %s: %v", name, err)
	}
	if err := k.Load(configText(data), toml.Parser()); err != nil {
		return cli.Usage("config file %s: %v", name, err)
	}
	return knownKeys(k, name)
}

// configText is a config file that was read, for koanf.
type configText []byte

func (t configText) ReadBytes() ([]byte, error)  { return t, nil }
func (configText) Read() (map[string]any, error) { return nil, errors.ErrUnsupported }

// maxSettings is what a config file may have, in bytes.
const maxSettings = 1 << 20

func (p *Commands) readSettings(name string) ([]byte, error) {
	if p.serves {
		return cli.ReadRegular(name, "read the config", maxSettings)
	}
	return cli.ReadFile(p.Context(), name, "read the config", maxSettings)
}

func knownKeys(k *koanf.Koanf, file string) error {
	known := map[string]bool{}
	for _, key := range keys() {
		known[key] = true
	}
	for _, key := range k.Keys() {
		if known[key] {
			continue
		}
		hint := "known keys: " + strings.Join(keys(), ", ")
		if near := spelling.Nearest(key, keys()); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		return cli.Usage("config file %s: unknown key %q; %s", file, key, hint)
	}
	return nil
}

// settingsEnviron returns the variables of the environment that are keys: the
// others with the prefix belong to the client side.
func (p *Commands) settingsEnviron() []string {
	var environ []string
	for _, key := range keys() {
		name := envPrefix + strings.ToUpper(key)
		if value := p.Getenv(name); value != "" {
			environ = append(environ, name+"="+value)
		}
	}
	return environ
}

func fromEnv(name, value string) (string, any) {
	return strings.ToLower(strings.TrimPrefix(name, envPrefix)), value
}

// fromFlag takes the flags of settings that stand on the command line.
func fromFlag(f *pflag.Flag) (string, any) {
	if !f.Changed || settingFlags().Lookup(f.Name) == nil {
		return "", nil
	}
	return keyOf(f.Name), f.Value.String()
}

// durationHook lets a time be written like "30s", and not as a number, which
// would be one of nanoseconds.
func durationHook(_, to reflect.Type, data any) (any, error) {
	if to != reflect.TypeFor[time.Duration]() {
		return data, nil
	}
	text, ok := data.(string)
	if !ok {
		return nil, &formError{fmt.Sprintf("%v is not a time: write a unit too, in quotes, e.g. \"500ms\", \"30s\" or \"2m\"", data)}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return nil, &formError{fmt.Sprintf("%q is not a time: write a number and a unit, e.g. 500ms, 30s or 2m", text)}
	}
	return d, nil
}

// sizeHook lets a number of bytes be written like "256MiB".
func sizeHook(from, to reflect.Type, data any) (any, error) {
	if from.Kind() != reflect.String || to != reflect.TypeFor[int64]() {
		return data, nil
	}
	n, err := limit.ParseSize(data.(string))
	if err != nil {
		return nil, &formError{err.Error()}
	}
	return n, nil
}
