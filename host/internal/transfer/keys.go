package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/transfer/lines"
)

// ExportKeys records that the keys of a plugin that start with prefix are sent, and
// returns what sends them as lines (package lines): all those of one revision, without
// expired ones, as fast as its writer takes them. What that has after an error does not
// end with the last line.
func (s *Service) ExportKeys(ctx context.Context, name string, prefix []byte, by string) (send func(context.Context, io.Writer) error, err error) {
	detail := ""
	if len(prefix) > 0 {
		detail = fmt.Sprintf("keys that start with %.200q", prefix)
	}
	p, err := s.registry.Plugin(ctx, name)
	if err == nil {
		err = s.registry.Note(ctx, plugin.Event{By: by, Action: plugin.ActionKVExport, Plugin: name, Detail: detail})
	}
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, w io.Writer) error { return s.sendKeys(ctx, w, p, prefix) }, nil
}

func (s *Service) sendKeys(ctx context.Context, w io.Writer, p plugin.Plugin, prefix []byte) error {
	snap, err := s.store.Snapshot()
	if err != nil {
		return err
	}
	defer snap.Release()
	now := s.clock()
	out, err := lines.NewWriter(w, lines.Header{Plugin: p.Name, Revision: uint64(snap.Revision()), Time: now.UTC().Round(0)}, prefix)
	if err != nil {
		return err
	}
	var wrong error
	err = snap.Scan(store.Space(p.Keys()), append([]byte{}, prefix...), after(prefix), false, func(key []byte, v store.Value) bool {
		if v.ExpiredAt(now) {
			return true
		}
		if wrong = ctx.Err(); wrong == nil {
			wrong = out.Write(lines.Entry{Key: key, Value: v.Data, Expires: v.Expires})
		}
		return wrong == nil
	})
	if err = errors.Join(tooOld(err), wrong); err != nil {
		return err
	}
	return out.Close()
}

// after returns the first key after all that start with prefix, nil = there is none.
func after(prefix []byte) []byte {
	end := bytes.TrimRight(prefix, "\xff")
	if len(end) == 0 {
		return nil
	}
	end = bytes.Clone(end)
	end[len(end)-1]++
	return end
}

// ImportKeys sets the keys of some lines in one commit with their event, within the
// plugin's quota, or none of them. The same lines twice leave what one time leaves.
// Errors: Invalid (a line), Conflict (a key has another value, and in.OnConflict says
// that this is one), Exhausted, TooLarge (more than one commit takes).
func (s *Service) ImportKeys(ctx context.Context, in adminapi.KeysImport, body []byte, by string) (out adminapi.KeysImported, err error) {
	entries, last, err := readEntries(body, in.Line)
	if err != nil || len(entries) == 0 {
		return out, err
	}
	_, err = s.registry.ChangeKeys(ctx, in.Name, func(tx *store.Tx) (plugin.Event, error) {
		m := &importing{tx: tx, onConflict: in.OnConflict, line: in.Line}
		for _, e := range entries {
			if err := m.set(e); err != nil {
				return plugin.Event{}, err
			}
		}
		out = m.KeysImported
		if in.DryRun {
			return plugin.Event{}, nil
		}
		return plugin.Event{By: by, Action: plugin.ActionKVImport, Plugin: in.Name, Detail: fmt.Sprintf(
			"lines %d to %d: %d added, %d replaced, %d unchanged, %d skipped, %d expired", in.Line, last, out.Added, out.Replaced, out.Unchanged, out.Skipped, out.Expired)}, nil
	})
	return out, err
}

// readEntries returns the entries of lines, each in a line of its own.
func readEntries(body []byte, first int) (list []lines.Entry, last int, err error) {
	r := lines.NewPiece(bytes.NewReader(body), first)
	for len(list) <= adminapi.MaxImportLines {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list, r.Line(), nil
		}
		if err != nil {
			return nil, 0, err
		}
		list = append(list, e)
	}
	return nil, 0, fault.New(fault.TooLarge, "", fmt.Sprintf("there are more than %d lines; send them in several requests", adminapi.MaxImportLines))
}

// importing sets keys in a transaction.
type importing struct {
	adminapi.KeysImported

	tx         *store.Tx
	onConflict string
	line       int // of the next entry
}

func (m *importing) set(e lines.Entry) error {
	line := m.line
	m.line++
	if e.Expires != 0 && e.Expires <= m.tx.Now().UnixMilli() {
		m.Expired++
		return nil
	}
	data, ok, err := m.tx.Get(e.Key)
	if err != nil {
		return err
	}
	had := 0
	switch same := bytes.Equal(data, e.Value); {
	case !ok:
		m.Added++
		had = -len(e.Key)
	case same:
		m.Unchanged++
		had = len(data)
	case m.onConflict == adminapi.ConflictReplace:
		m.Replaced++
		had = len(data)
	case m.onConflict == adminapi.ConflictSkip:
		m.Skipped++
		return nil
	default:
		return fault.New(fault.Conflict, "", fmt.Sprintf("line %d: the key %.100q is there with another value; have it skipped or replaced", line, e.Key))
	}
	m.Bytes += int64(len(e.Value) - had)
	return m.tx.Set(e.Key, e.Value, e.TTL(m.tx.Now()))
}
