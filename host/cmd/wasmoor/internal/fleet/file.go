package fleet

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/spelling"
)

// Bounds of a file.
const (
	maxFile    = 4 << 20 // bytes
	maxPlugins = 1000
	maxVars    = 256 // of a plugin, as in one request
	maxPins    = 1000
)

const fileVersion = 1

// file is what a server is to be.
type file struct {
	Version int              `toml:"fleet_version"`
	Plugins map[string]entry `toml:"plugin,omitempty"`
}

// entry is what a plugin is to be.
type entry struct {
	Digest  string            `toml:"digest"`
	Module  string            `toml:"module,omitempty"` // path from the file; only for a server without the module
	Mount   string            `toml:"mount,omitempty"`  // with spaces between; "" = /NAME
	Label   string            `toml:"label,omitempty"`  // of a version that is uploaded
	Secrets []string          `toml:"secrets,omitempty"`
	Grant   map[string]any    `toml:"grant,omitempty"` // what the module may ask for, exactly
	Limits  *limits           `toml:"limits,omitempty"`
	CORS    *cors             `toml:"cors,omitempty"`
	Vars    map[string]string `toml:"vars,omitempty"`

	Pins      []string `toml:"pins,omitempty"` // digests of versions that are kept
	EgressOff bool     `toml:"egress_off,omitempty"`
	Pause     *pause   `toml:"pause,omitempty"`

	Bind map[string]string `toml:"bind,omitempty"` // plugins for names of [services]

	module string          // path from the working directory
	limits adminapi.Limits // those of Limits
}

// limits are an operator's; absent = the manifest's.
type limits struct {
	Memory       string `toml:"memory,omitempty"`
	Deadline     string `toml:"deadline,omitempty"`
	RequestBody  string `toml:"request_body,omitempty"`
	ResponseBody string `toml:"response_body,omitempty"`
	Concurrency  int64  `toml:"concurrency,omitempty"`
}

// cors is adminapi.CORS as it is written in a file.
type cors struct {
	Origins     []string `toml:"origins"`
	Methods     []string `toml:"methods,omitempty"`
	Headers     []string `toml:"headers,omitempty"`
	Expose      []string `toml:"expose,omitempty"`
	Credentials bool     `toml:"credentials,omitempty"`
	MaxAge      int      `toml:"max_age,omitempty"`
}

// pause is one of the whole plugin, or of its writes. The page of one is in no file.
type pause struct {
	Writes     bool  `toml:"writes,omitempty"`
	RetryAfter int64 `toml:"retry_after,omitempty"` // seconds; 0 = adminapi.DefaultRetry
}

// readFile reads and checks a file. Errors are those of usage where what it says is
// wrong.
func readFile(ctx context.Context, path string) (*file, error) {
	data, err := cli.ReadFile(ctx, path, "read the fleet", maxFile)
	if err != nil {
		return nil, err
	}
	f, err := parse(data)
	if err != nil {
		return nil, cli.Usage("%s: %s", path, err)
	}
	for name, e := range f.Plugins {
		if e.Module != "" {
			e.module = filepath.FromSlash(e.Module)
			if !filepath.IsAbs(e.module) {
				e.module = filepath.Join(filepath.Dir(path), e.module)
			}
		}
		f.Plugins[name] = e
	}
	return f, nil
}

func parse(data []byte) (*file, error) {
	var f file
	decoder := toml.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		return nil, readable(err)
	}
	if f.Version != fileVersion {
		return nil, fmt.Errorf("fleet_version is %d; this program reads version %d: write fleet_version = %d", f.Version, fileVersion, fileVersion)
	}
	if len(f.Plugins) > maxPlugins {
		return nil, fmt.Errorf("it names %d plugins; at most %d are allowed", len(f.Plugins), maxPlugins)
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(f.Plugins)) {
		e := f.Plugins[name]
		if err := e.complete(name); err != nil {
			problems = append(problems, fmt.Errorf("plugin.%s: %s", name, fault.MessageOf(err)))
		}
		f.Plugins[name] = e
	}
	return &f, errors.Join(problems...)
}

// readable says where the text is wrong, and which key may be meant.
func readable(err error) error {
	if unknown, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		var problems []error
		for _, e := range unknown.Errors {
			key := e.Key()
			line, _ := e.Position()
			text := fmt.Sprintf("line %d: unknown key %q", line, strings.Join(key, "."))
			if near := spelling.Nearest(key[len(key)-1], keysAt(key[:len(key)-1])); near != "" {
				text += fmt.Sprintf("; did you mean %q?", near)
			}
			problems = append(problems, errors.New(text))
		}
		return errors.Join(problems...)
	}
	text := strings.TrimPrefix(err.Error(), "toml: ")
	if e, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, column := e.Position()
		return fmt.Errorf("line %d, column %d: %s", line, column, text)
	}
	return errors.New(text)
}

// keysAt lists the keys of the table at a path.
func keysAt(path []string) []string {
	tables := map[string]any{"0": file{}, "2": entry{}, "3limits": limits{}, "3cors": cors{}, "3pause": pause{}}
	place := fmt.Sprint(len(path))
	if len(path) == 3 {
		place += path[2]
	}
	table := tables[place]
	if table == nil {
		return nil
	}
	var keys []string
	for _, field := range reflect.VisibleFields(reflect.TypeOf(table)) {
		if key, _, _ := strings.Cut(field.Tag.Get("toml"), ","); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// complete checks what a file says of a plugin, and fills in what it leaves open.
func (e *entry) complete(name string) error {
	if err := plugin.CheckName(name); err != nil {
		return err
	}
	if e.Digest == "" {
		return errors.New("digest is missing")
	}
	if _, err := plugin.ParseDigest(e.Digest); err != nil {
		return err
	}
	mount, err := plugin.ParseMounts(cmp.Or(e.Mount, string(plugin.DefaultMount(name))))
	if err != nil {
		return err
	}
	e.Mount = string(mount)
	if e.CORS != nil {
		if err := (*plugin.CORS)(e.policy()).Check(); err != nil {
			return fmt.Errorf("cors: %s", fault.MessageOf(err))
		}
	}
	if len(e.Vars) > maxVars || len(e.Secrets) > maxVars {
		return fmt.Errorf("it names %d vars and %d secrets; at most %d of each are allowed", len(e.Vars), len(e.Secrets), maxVars)
	}
	if err := e.checkHolds(); err != nil {
		return err
	}
	for key, value := range e.Vars {
		switch {
		case len(value) > adminapi.MaxVar:
			return fmt.Errorf("vars.%s has %d bytes; a var has at most %d", key, len(value), adminapi.MaxVar)
		case slices.Contains(e.Secrets, key):
			return fmt.Errorf("vars.%s is a secret: its value is in no file; leave it in secrets alone", key)
		}
	}
	return e.readLimits()
}

func (e *entry) checkHolds() error {
	if len(e.Pins) > maxPins {
		return fmt.Errorf("it names %d pins; at most %d are allowed", len(e.Pins), maxPins)
	}
	for _, digest := range e.Pins {
		if _, err := plugin.ParseDigest(digest); err != nil {
			return fmt.Errorf("pins: %s", fault.MessageOf(err))
		}
	}
	if err := e.checkBind(); err != nil {
		return err
	}
	if e.Pause == nil {
		return nil
	}
	e.Pause.RetryAfter = cmp.Or(e.Pause.RetryAfter, adminapi.DefaultRetry)
	if n := e.Pause.RetryAfter; n < 1 || n > 86400 {
		return fmt.Errorf("pause.retry_after is %d; it takes 1 to 86400 seconds", n)
	}
	return nil
}

// policy returns the CORS policy; nil = none.
func (e *entry) policy() *adminapi.CORS {
	if e.CORS == nil {
		return nil
	}
	p := adminapi.CORS(*e.CORS)
	return &p
}

func (e *entry) readLimits() error {
	if e.Limits == nil {
		return nil
	}
	l := e.Limits
	for _, it := range []struct {
		key, text string
		to        *int64
		read      func(string) (int64, error)
	}{
		{"memory", l.Memory, &e.limits.Memory, limit.ParseSize},
		{"deadline", l.Deadline, &e.limits.DeadlineMillis, readMillis},
		{"request_body", l.RequestBody, &e.limits.RequestBody, limit.ParseSize},
		{"response_body", l.ResponseBody, &e.limits.ResponseBody, limit.ParseSize},
	} {
		if it.text == "" {
			continue
		}
		n, err := it.read(it.text)
		if err == nil && n < 1 {
			err = errors.New("it must be above zero; leave it out for the manifest's")
		}
		if err != nil {
			return fmt.Errorf("limits.%s: %s", it.key, fault.MessageOf(err))
		}
		*it.to = n
	}
	if l.Concurrency < 0 {
		return errors.New("limits.concurrency must be above zero")
	}
	e.limits.Concurrency = l.Concurrency
	return nil
}

func readMillis(text string) (int64, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d%time.Millisecond != 0 {
		return 0, fmt.Errorf("%q is not a time in whole milliseconds, e.g. 2s", text)
	}
	return d.Milliseconds(), nil
}

// limitsOf returns limits as they are written in a file; nil = none.
func limitsOf(l adminapi.Limits) *limits {
	if l == (adminapi.Limits{}) {
		return nil
	}
	out := &limits{Concurrency: l.Concurrency}
	for to, n := range map[*string]int64{&out.Memory: l.Memory, &out.RequestBody: l.RequestBody, &out.ResponseBody: l.ResponseBody} {
		if n != 0 {
			*to = limit.FormatSize(n)
		}
	}
	if l.DeadlineMillis != 0 {
		out.Deadline = (time.Duration(l.DeadlineMillis) * time.Millisecond).String()
	}
	return out
}
