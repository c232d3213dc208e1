package server

import (
	"errors"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/remote"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
)

// whatWasSet compares the values of settings, and not where they come from.
var whatWasSet = cmp.Options{cmpopts.IgnoreUnexported(settings{}), cmpopts.IgnoreFields(host.Config{}, "Told")}

// commands returns the commands of a run with an environment.
func commands(env map[string]string) *Commands {
	getenv := func(name string) string { return env[name] }
	p := &cli.Program{Terminal: term.New(getenv, strings.NewReader(""), io.Discard, io.Discard, func() {})}
	return New(p, remote.New(p))
}

// Every field of the configuration is a flag, and no flag leads nowhere.
func TestEverySettingHasAFlag(t *testing.T) {
	fields := []string{"LogLevel", "LogFormat", "AccessLogFile", "AccessLogFormat"}
	for field := range reflect.TypeFor[host.Config]().Fields() {
		if !slices.Contains([]string{"Build", "Listen", "Log", "LogDropped", "Told", "GuestLog", "AccessLog", "AccessLogApart", "AccessLogAgents", "ArtefactDir", "Author", "Clock", "Getenv", "Settings", "TokenFile", "SecretsKey", "SecretsKeySource"}, field.Name) { // which the program decides
			fields = append(fields, field.Name)
		}
	}
	var found []string
	for _, key := range keys() {
		for _, field := range fields {
			if isKeyOf(key, field) {
				found = append(found, field)
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(fields)), slices.Sorted(slices.Values(found))); diff != "" || len(keys()) != len(fields) {
		t.Errorf("fields of the configuration and those that the %d flags set (-want +got):\n%s", len(keys()), diff)
	}
}

func TestSettingsWithoutAnyAreTheDefaults(t *testing.T) {
	t.Chdir(t.TempDir()) // no config file
	p := commands(nil)
	cmd := p.ServeCommand()
	got, err := p.settings(cmd.Flags())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaultSettings(), got, whatWasSet); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestSettingsFromTheEnvironment(t *testing.T) {
	t.Chdir(t.TempDir())
	env := map[string]string{
		"WASMOOR_DATA": "elsewhere", "WASMOOR_DRAIN_TIMEOUT": "7s", "WASMOOR_MAX_CONNS": "12",
		"WASMOOR_MIN_FREE_DISK": "200MiB", "WASMOOR_LOG_LEVEL": "warn",
		"WASMOOR_TOKEN": "of the client", "WASMOOR_PUBLIC": "127.0.0.1:1",
	}
	p := commands(env)
	cmd := p.ServeCommand()
	if err := cmd.Flags().Parse([]string{"--public", "127.0.0.1:2"}); err != nil {
		t.Fatal(err)
	}
	got, err := p.settings(cmd.Flags())
	if err != nil {
		t.Fatal(err)
	}
	want := defaultSettings()
	want.Host.DataDir, want.Host.DrainTimeout, want.Host.MaxConns = "elsewhere", 7e9, 12
	want.Host.MinFreeDisk, want.LogLevel = 200<<20, "warn"
	want.Host.PublicAddr = "127.0.0.1:2" // the flag wins
	if diff := cmp.Diff(want, got, whatWasSet); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestSettingsFromLists(t *testing.T) {
	t.Chdir(t.TempDir())
	text := "trusted_proxies = ['10.0.0.0/8', '::1']\noutbound_allow_networks = ['10.1.0.0/16']\n"
	if err := os.WriteFile(settingsFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := commands(nil)
	got, err := p.settings(p.ServeCommand().Flags())
	if err != nil || got.Host.TrustedProxies != "10.0.0.0/8, ::1" || got.Host.OutboundAllowNetworks != "10.1.0.0/16" {
		t.Errorf("got %q and %q, %v", got.Host.TrustedProxies, got.Host.OutboundAllowNetworks, err)
	}
}

// A value that cannot be is told with where it stands and what may stand there.
func TestSettingsOfTheWrongForm(t *testing.T) {
	tests := []struct {
		name, flag, variable, value, file, want string
	}{
		{"flag", "--min-free-disk=lots", "", "", "", `--min-free-disk: "lots" is not a size: write bytes as a whole number`},
		{"variable", "", "WASMOOR_DRAIN_TIMEOUT", "soon", "", `WASMOOR_DRAIN_TIMEOUT: "soon" is not a time: write a number and a unit`},
		{"number", "", "WASMOOR_MAX_CONNS", "many", "", `WASMOOR_MAX_CONNS: "many" is not what the setting takes; write e.g. `},
		{"file", "", "", "", "max_body_memory = \"big\"\n", `config file: max_body_memory: "big" is not a size`},
		{"file, time without a unit", "", "", "", "body_timeout = 30\n", `config file: body_timeout: 30 is not a time: write a unit too, in quotes, e.g. "500ms"`},
		{"file, list", "", "", "", "trusted_proxies = [10]\n", `config file: trusted_proxies: "[10]" is not what the setting takes; write e.g. "a text"`},
		{"file, list of networks", "", "", "", "trusted_proxies = ['10.0.0.0/8', '::1', 'localhost']\n", `configuration key "trusted_proxies": "localhost" is not a network`},
		{"file, list elsewhere", "", "", "", "tls_cert = ['a.pem']\n", `config file: tls_cert: "[a.pem]" is not what the setting takes`},
		{"network with more than its bits", "--trusted-proxies=10.0.0.1/8", "", "", "", `configuration key "trusted_proxies": "10.0.0.1/8" is not a network: write 10.0.0.0/8, or the address alone`},
		{"file, number", "", "", "", "max_conns = \"maybe\"\n", `config file: max_conns: "maybe" is not what the setting takes; write e.g. 10000`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.WriteFile(settingsFile, []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			p := commands(map[string]string{tt.variable: tt.value})
			flags := p.ServeCommand().Flags()
			if tt.flag != "" {
				if err := flags.Parse([]string{tt.flag}); err != nil {
					t.Fatal(err)
				}
			}
			_, err := p.settings(flags)
			if _, ok := errors.AsType[*cli.UsageError](err); !ok || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("settings = %v, want a usage error that starts %q", err, tt.want)
			}
		})
	}
}
