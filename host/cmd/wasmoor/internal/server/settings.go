package server

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
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
}

// renamed are the keys that are no field's name in small letters with _ between
// the words.
var renamed = map[string]string{"data": "DataDir", "public": "PublicAddr", "admin": "AdminAddr"}

// isKeyOf reports whether key is that of a field of the settings.
func isKeyOf(key, field string) bool {
	if name, ok := renamed[key]; ok {
		return name == field
	}
	return strings.EqualFold(strings.ReplaceAll(key, "_", ""), field)
}

func defaultSettings() settings {
	return settings{Host: host.DefaultConfig(), LogLevel: "info", LogFormat: formatAuto}
}

// addSettings adds --config and a flag for each key. A flag is named like its
// key, with - for _.
func addSettings(flags *pflag.FlagSet) {
	flags.String("config", "", "config file in TOML (env WASMOOR_CONFIG, default "+settingsFile+" when it is there)")
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

// Build returns what the flags of AddBuild, the environment and the config file say
// of these keys. The other keys have their defaults.
func (p *Commands) Build(flags *pflag.FlagSet) (host.Config, error) {
	s, err := p.settings(flags)
	return s.Host, err
}

// settingFlags are the flags of the keys. Sizes are strings, so that "1GiB" can
// be written everywhere.
func settingFlags() *pflag.FlagSet {
	d := defaultSettings()
	flags := pflag.NewFlagSet("settings", pflag.ContinueOnError)
	flags.String("data", d.Host.DataDir, "folder of the store, the modules and the admin token")
	flags.String("public", d.Host.PublicAddr, "address where clients reach the plugins")
	flags.String("admin", d.Host.AdminAddr, "address of the admin API")
	flags.Duration("drain-delay", d.Host.DrainDelay, "how long to go on as before when stopping, while /readyz fails")
	flags.Duration("drain-timeout", d.Host.DrainTimeout, "how long to wait for running requests when stopping")
	flags.Int("max-conns", d.Host.MaxConns, "public connections open at a time")
	flags.Int("max-conns-per-ip", d.Host.MaxConnsPerIP, "public connections open at a time from one address, or one /64 of IPv6; 0 = no limit")
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
	flags.Int("keep-deployments", d.Host.KeepDeployments, "newest deployments of a plugin that are kept; 0 = all")
	flags.Int("keep-events", d.Host.KeepEvents, "newest events of the audit that are kept; 0 = all")
	flags.String("tls-cert", d.Host.TLSCert, "PEM file with the certificate of the public listener; replaced files are taken up")
	flags.String("tls-key", d.Host.TLSKey, "PEM file with the key of that certificate")
	flags.String("trusted-proxies", d.Host.TrustedProxies, "networks of proxies to believe about the client, separated by commas")
	flags.Bool("show-errors", d.Host.ShowErrors, "tell clients why a plugin failed; for an author's own machine")
	flags.String("outbound-allow-networks", d.Host.OutboundAllowNetworks, "private networks plugins may call, separated by commas")
	flags.String("log-level", d.LogLevel, "debug, info, warn or error")
	flags.String("log-format", d.LogFormat, "text, json, or auto: text on a terminal")
	flags.Int("access-log-sample", d.Host.AccessLogSample, "log one in so many requests: 1 = each, 0 = none")
	flags.String("access-log-file", d.AccessLogFile, "file of the access log; else it is a part of the log")
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
	for _, key := range k.Keys() {
		if flags.Lookup(strings.ReplaceAll(key, "_", "-")) == nil {
			continue // it is a server's alone
		}
		if err := s.set(key, k.Get(key)); err != nil {
			return settings{}, cli.Usage("%s: %v", p.settingSource(flags, key), err)
		}
	}
	if err := s.Host.Validate(); err != nil {
		return settings{}, cli.Usage("%s", fault.MessageOf(err))
	}
	return s, nil
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
	if !ok || key != "trusted_proxies" && key != "outbound_allow_networks" {
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
func (p *Commands) settingSource(flags *pflag.FlagSet, key string) string {
	flag, variable := strings.ReplaceAll(key, "_", "-"), envPrefix+strings.ToUpper(key)
	switch {
	case flags.Changed(flag):
		return "--" + flag
	case p.Getenv(variable) != "":
		return variable
	}
	return "config file: " + key
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
	err := k.Load(file.Provider(name), toml.Parser())
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return cli.FileError("read the config", err)
	case err != nil:
		return cli.Usage("config file %s: %v", name, err)
	}
	return knownKeys(k, name)
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
