package registry

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/audit"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/secret"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// hostSpace is the key space of the host's own records.
const hostSpace store.Space = 0

// The keys of the records. Those below a plugin carry the id of its key space,
// which is never used again, and not its name: the records of a purged plugin
// are out of reach in the commit that removes its own, and a later plugin of its
// name does not meet them.
const (
	prefixPlugin     = "registry/plugin/"     // NAME: pluginRecord
	prefixVersion    = "registry/version/"    // SPACE/NUMBER: versionRecord
	prefixManifest   = "registry/manifest/"   // SPACE/NUMBER: the text
	prefixDeployment = "registry/deployment/" // SPACE/NUMBER: deploymentRecord
	prefixAudit      = "registry/audit/"      // NUMBER: eventRecord
	keyChain         = "registry/chain"       // chainRecord
	prefixPurge      = "registry/purge/"      // SPACE: spaceRecord, of a purge not finished
	prefixSecret     = "registry/secret/"     // SPACE/NAME: secretRecord
	prefixKey        = "registry/key/"        // SPACE/NUMBER: keyRecord
	prefixHold       = "registry/hold/"       // SPACE/: holdRecord; of all plugins below space 0
	keySealed        = "registry/sealed"      // sealedRecord
	keySpaces        = "registry/spaces"      // spaceRecord, the newest
)

// firstSpace leaves ids below it to the host.
const firstSpace = 16

func below(prefix string, space uint64) string { return fmt.Sprintf("%s%016x/", prefix, space) }

func numbered(prefix string, space uint64, number int) string {
	return fmt.Sprintf("%s%010d", below(prefix, space), number)
}

// records is a transaction on the host's records.
type records struct {
	*store.Tx
	snap         store.Snapshot
	capabilities capability.List
	ring         *secret.Ring
	keys         []store.Part    // what the transaction does to a plugin's keys
	actor        audit.Actor     // who causes the change
	audited      []Audited       // the events of the change
	committed    *store.Revision // is set to that of the commit
	data         *Data           // that the change puts in place; nil = it does not
}

// effects returns those of the records and of the plugin's keys.
func (tx *records) effects() *store.Effects {
	e := tx.Effects()
	e.Parts = append(e.Parts, tx.keys...) // no space is before the host's
	return e
}

func get[R record[T], T any](tx *records, key string) (value T, ok bool, err error) {
	data, ok, err := tx.Get([]byte(key))
	if err != nil || !ok {
		return value, false, err
	}
	value, err = decode[R](tx.capabilities, key, data)
	return value, err == nil, err
}

// put stores a record, which is made by one of the functions of format.go.
func put(tx *records, key string, r any) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fault.Wrap(fault.Internal, "write the registry", fmt.Sprintf("record %q", key), err)
	}
	return tx.Set([]byte(key), data, 0)
}

// list calls yield with what each record below prefix holds, in order, until it
// returns false.
func list[R record[T], T any](tx *records, prefix string, yield func(T) bool) error {
	return walk[R](tx, store.Query{Prefix: []byte(prefix)}, yield)
}

func walk[R record[T], T any](tx *records, q store.Query, yield func(T) bool) error {
	var damaged error
	err := tx.List(q, func(key, data []byte) bool {
		var v T
		v, damaged = decode[R](tx.capabilities, string(key), data)
		return damaged == nil && yield(v)
	})
	if err != nil {
		return err
	}
	return damaged
}

// newest returns what the last record below prefix holds.
func newest[R record[T], T any](tx *records, prefix string) (last T, ok bool, err error) {
	q := store.Query{Prefix: []byte(prefix), Limit: 1, Reverse: true}
	err = walk[R](tx, q, func(v T) bool {
		last, ok = v, true
		return true
	})
	return last, ok, err
}

// history returns what a plugin has below prefix and before a number, 0 =
// the newest, the newest first; limit 0 = all.
func history[R record[T], T any](r *Registry, name, prefix string, before, limit int) ([]T, error) {
	var all []T
	err := r.view(func(tx *records) error {
		p, err := tx.plugin(name)
		if err != nil {
			return err
		}
		q := store.Query{Prefix: []byte(below(prefix, p.Space)), Limit: limit, Reverse: true}
		if before > 0 {
			q.After = []byte(numbered(prefix, p.Space, before))
		}
		return walk[R](tx, q, func(v T) bool {
			all = append(all, v)
			return true
		})
	})
	return all, err
}

func (tx *records) now() time.Time { return tx.Now().UTC() }

func (tx *records) plugin(name string) (plugin.Plugin, error) {
	p, ok, err := tx.known(name)
	if err == nil && !ok {
		err = noPlugin(name)
	}
	return p, err
}

// known returns a plugin, and whether there is one of that name.
func (tx *records) known(name string) (plugin.Plugin, bool, error) {
	p, ok, err := get[pluginRecord](tx, prefixPlugin+name)
	if ok {
		err = tx.unseal(&p)
	}
	return p, ok, err
}

// live returns a plugin that is not deleted.
func (tx *records) live(name string) (plugin.Plugin, error) {
	p, err := tx.plugin(name)
	if err == nil && p.Deleted {
		return p, fault.New(fault.NotFound, "", fmt.Sprintf(
			"plugin %q is deleted and its data is kept; deploy it again, or remove the data with: wasmoor delete %s --purge", name, name))
	}
	return p, err
}

func (tx *records) putPlugin(p plugin.Plugin) error {
	return put(tx, prefixPlugin+p.Name, newPluginRecord(p))
}

// newSpace returns a key-space id nobody had before.
func (tx *records) newSpace() (uint64, error) {
	id, ok, err := get[spaceRecord](tx, keySpaces)
	if err != nil {
		return 0, err
	}
	if !ok {
		id = firstSpace - 1
	}
	id++
	return id, put(tx, keySpaces, newSpaceRecord(id))
}
