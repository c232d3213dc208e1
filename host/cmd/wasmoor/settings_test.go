package main

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host"
)

// Every field of the configuration is a flag, and no flag leads nowhere.
func TestEverySettingHasAFlag(t *testing.T) {
	want := map[string]bool{"log_level": true, "log_format": true}
	for field := range reflect.TypeFor[host.Config]().Fields() {
		if key := field.Tag.Get("koanf"); key != "-" {
			want[key] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(slices.Values(keys()))); diff != "" {
		t.Errorf("keys of the configuration and flags (-want +got):\n%s", diff)
	}
}

func TestSettingsWithoutAnyAreTheDefaults(t *testing.T) {
	t.Chdir(t.TempDir()) // no config file
	p := &program{getenv: func(string) string { return "" }}
	cmd := p.serveCommand()
	got, err := p.settings(cmd.Flags())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaultSettings(), got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestSettingsFromTheEnvironment(t *testing.T) {
	t.Chdir(t.TempDir())
	env := map[string]string{
		"WASMOOR_DATA": "elsewhere", "WASMOOR_DRAIN_TIMEOUT": "7s", "WASMOOR_MAX_CONNS": "12",
		"WASMOOR_MIN_FREE_DISK": "200MiB", "WASMOOR_SHOW_ERRORS": "true", "WASMOOR_LOG_LEVEL": "warn",
		"WASMOOR_TOKEN": "of the client", "WASMOOR_PUBLIC": "127.0.0.1:1",
	}
	p := &program{getenv: func(name string) string { return env[name] }}
	cmd := p.serveCommand()
	if err := cmd.Flags().Parse([]string{"--public", "127.0.0.1:2"}); err != nil {
		t.Fatal(err)
	}
	got, err := p.settings(cmd.Flags())
	if err != nil {
		t.Fatal(err)
	}
	want := defaultSettings()
	want.Host.DataDir, want.Host.DrainTimeout, want.Host.MaxConns = "elsewhere", 7e9, 12
	want.Host.MinFreeDisk, want.Host.ShowErrors, want.LogLevel = 200<<20, true, "warn"
	want.Host.PublicAddr = "127.0.0.1:2" // the flag wins
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}
