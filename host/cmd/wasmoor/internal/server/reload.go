package server

import (
	"context"
	"log/slog"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// running is what a server runs with, for operators who ask or change it.
type running struct {
	p     *Commands
	flags *pflag.FlagSet
	log   *slog.Logger
	host  *host.Host // set before anybody asks

	mu  sync.Mutex
	now settings
}

// Show lists the settings that hold.
func (r *running) Show() []adminapi.Setting {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now.list()
}

// Reload reads the settings again. What is wrong with them changes nothing.
func (r *running) Reload(ctx context.Context, by string) ([]adminapi.SettingChange, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next, err := r.p.settings(r.flags)
	if err != nil {
		return nil, fault.New(fault.Invalid, "", err.Error())
	}
	if _, err := r.p.logging(&next); err != nil {
		return nil, fault.New(fault.Invalid, "", err.Error())
	}
	changed, err := r.host.Reload(ctx, next.Host, by)
	if err != nil {
		return nil, err
	}
	changes := make([]adminapi.SettingChange, 0, len(changed))
	for _, c := range changed {
		changes = append(changes, adminapi.SettingChange{Key: c.Key, From: hidden(c.From), To: hidden(c.To), Live: c.Live})
	}
	changes = append(changes, r.reloadLog(&next)...)
	r.now.Host, r.now.sources = r.host.Settings(), next.sources
	return changes, nil
}

// reloadLog is Reload of the settings that are the program's own.
func (r *running) reloadLog(next *settings) (changes []adminapi.SettingChange) {
	if next.LogLevel != r.now.LogLevel {
		changes = append(changes, adminapi.SettingChange{Key: "log_level", From: r.now.LogLevel, To: next.LogLevel, Live: true})
		r.now.level.Set(next.level.Level())
		r.now.LogLevel = next.LogLevel
	}
	for _, it := range []struct{ key, from, to string }{
		{"log_format", r.now.LogFormat, next.LogFormat},
		{"access_log_file", r.now.AccessLogFile, next.AccessLogFile},
		{"access_log_format", r.now.AccessLogFormat, next.AccessLogFormat},
	} {
		if it.from != it.to {
			changes = append(changes, adminapi.SettingChange{Key: it.key, From: it.from, To: it.to})
		}
	}
	return changes
}

// hangup is Reload for a signal, whose answer is in the log.
func (r *running) hangup(ctx context.Context) {
	changes, err := r.Reload(ctx, "SIGHUP")
	if err != nil {
		r.log.Error("the settings are not reloaded, and those before stay", "error", err)
		return
	}
	r.log.Info("settings reloaded", "changed", len(changes))
	for _, c := range changes {
		if c.Live {
			r.log.Info("a setting has changed", "key", c.Key, "from", c.From, "to", c.To)
		} else {
			r.log.Warn("a setting has changed, and holds after a restart (SIGUSR2)", "key", c.Key, "from", c.From, "to", c.To)
		}
	}
}

// list lists the settings by key.
func (s *settings) list() []adminapi.Setting {
	var list []adminapi.Setting
	for _, key := range keys() {
		list = append(list, adminapi.Setting{Key: key, Value: hidden(s.text(key)), Source: s.sources[key]})
	}
	slices.SortFunc(list, func(a, b adminapi.Setting) int { return strings.Compare(a.Key, b.Key) })
	return list
}

// text returns the value of a key.
func (s *settings) text(key string) string {
	all := reflect.TypeFor[host.Config]()
	for field := range all.Fields() {
		if host.Key(field.Name) == key {
			return s.Host.Text(field.Name)
		}
	}
	own := reflect.ValueOf(s).Elem()
	for i := range own.NumField() {
		if isKeyOf(key, own.Type().Field(i).Name) {
			return own.Field(i).String()
		}
	}
	return ""
}

var userinfo = regexp.MustCompile(`://[^/@\s]*@`)

// hidden leaves out what is secret in a value: what opens the server of a URL.
func hidden(value string) string { return userinfo.ReplaceAllString(value, "://[redacted]@") }
