package author

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// maxSeed is what a seed file may have, in bytes.
const maxSeed = 64 << 20

// seed is a key that a store starts with.
type seed struct {
	plugin     string // "" = the only one
	key, value []byte
	ttl        time.Duration
	at         string // file and line
}

// readSeed reads a seed file: a JSON object a line. Blank lines count for nothing.
// Errors: NotFound, and Invalid with the file and line that is wrong.
func readSeed(ctx context.Context, file string, several bool) ([]seed, error) {
	data, err := cli.ReadFile(ctx, file, "read the seed", maxSeed)
	if err != nil {
		return nil, err
	}
	var seeds []seed
	places := map[[2]string]string{} // of plugins and keys
	line := 0
	for text := range bytes.Lines(data) {
		line++
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		s, err := parseSeed(text, several)
		s.at = fmt.Sprintf("%s:%d", file, line)
		name := [2]string{s.plugin, string(s.key)}
		if before, ok := places[name]; ok && err == nil {
			err = fmt.Errorf("the key of %s comes again", before)
		}
		if err != nil {
			return nil, fault.New(fault.Invalid, "", fmt.Sprintf("%s: %v", s.at, err))
		}
		places[name] = s.at
		seeds = append(seeds, s)
	}
	return seeds, nil
}

func parseSeed(text []byte, several bool) (s seed, err error) {
	var row struct {
		Plugin  string          `json:"plugin"`
		Key     string          `json:"key"`
		Value   json.RawMessage `json:"value"`
		Counter *int64          `json:"counter"`
		TTL     string          `json:"ttl"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&row); err != nil {
		return s, fmt.Errorf(`this is not {"key": "...", "value": ...} with a "plugin" and a "ttl" if need be: %w`, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return s, errors.New("there is more than one object on the line")
	}
	switch {
	case row.Key == "":
		return s, errors.New(`"key" is missing`)
	case len(row.Value) == 0 == (row.Counter == nil):
		return s, errors.New(`write either a "value" or, for kv.Int and kv.Add, a "counter"`)
	case row.Plugin == "" && several:
		return s, errors.New(`"plugin" is missing: there are several`)
	}
	s.plugin = row.Plugin
	if s.key, err = seedBytes("key", row.Key); err != nil {
		return s, err
	}
	if row.Counter != nil {
		s.value = binary.LittleEndian.AppendUint64(nil, uint64(*row.Counter))
	} else if s.value, err = seedValue(row.Value); err != nil {
		return s, err
	}
	if row.TTL == "" {
		return s, nil
	}
	if s.ttl, err = time.ParseDuration(row.TTL); err != nil || s.ttl <= 0 {
		return s, fmt.Errorf(`"ttl" %q is not a time above zero like "24h"`, row.TTL)
	}
	return s, nil
}

// seedValue returns the bytes of a value: those of a string, and of anything else
// its JSON without spaces.
func seedValue(value json.RawMessage) ([]byte, error) {
	if value[0] != '"' {
		var compact bytes.Buffer
		err := json.Compact(&compact, value)
		return compact.Bytes(), err
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return nil, err
	}
	return seedBytes("value", text)
}

// seedBytes reads text, or base64: and bytes in base64, as `wasmoor kv` writes them.
func seedBytes(what, text string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(text, "base64:")
	if !ok {
		return []byte(text), nil
	}
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("%q is not base64; a text that starts with base64: is written in base64", what)
	}
	return data, nil
}

// seedsOf returns the seeds of a plugin.
func seedsOf(all []seed, name string) (of []seed) {
	for _, s := range all {
		if s.plugin == "" || s.plugin == name {
			of = append(of, s)
		}
	}
	return of
}

// seedsAtOnce is how many keys are put at a time: the store syncs them together.
const seedsAtOnce = 32

// plant puts seeds into the key space of a plugin, unless it has keys already, and
// returns how many were put.
func plant(ctx context.Context, c *client.Client, name string, seeds []seed) (int, error) {
	if len(seeds) == 0 {
		return 0, nil
	}
	page, err := c.KVList(ctx, adminapi.KeysQuery{PluginRef: adminapi.PluginRef{Name: name}, Limit: 1})
	if err != nil || len(page.Entries) > 0 {
		return 0, err
	}
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(seedsAtOnce)
	for _, s := range seeds {
		all.Go(func() error {
			if err := c.KVPut(ctx, name, s.key, s.value, s.ttl); err != nil {
				return fault.Wrap(fault.CodeOf(err), "", s.at+": "+fault.MessageOf(err), err)
			}
			return nil
		})
	}
	return len(seeds), all.Wait()
}
