package registry

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Format is the version of the records: the one this program writes, and the
// newest that it reads. Every record names its own, so that records of several
// formats may lie side by side. testdata/records holds one of each kind and
// format for ever. A grant's new member, and so a new capability that is granted,
// is a new format too: a program that does not know it would drop it with its next
// change of the plugin.
//
//	0  the types of the domain as JSON, without a format; a space was a number
//	1  the types of this file, without what is of a later format
//	2  an operator's limits, and the version that served before
const Format = 2

// header is in every record but a manifest, which is the author's text.
type header struct {
	Format int `json:"format"`
}

// present is the header of what is written.
var present = header{Format}

// record is a T of the domain as it is stored.
type record[T any] interface {
	value(capability.List) (T, error)
}

type pluginRecord struct {
	header
	Name       string            `json:"name"`
	Mount      plugin.Mount      `json:"mount"`
	Space      uint64            `json:"space"`
	Vars       map[string]string `json:"vars,omitempty"`
	Grant      json.RawMessage   `json:"grant"`
	CORS       *corsRecord       `json:"cors,omitempty"`
	Limits     limitsRecord      `json:"limits,omitzero"`
	Deployment int               `json:"deployment"`
	Active     int               `json:"active"`
	Previous   int               `json:"previous,omitempty"`
	Versions   int               `json:"versions"`
	Created    time.Time         `json:"created"`
	Deleted    bool              `json:"deleted,omitempty"`
}

func newPluginRecord(p plugin.Plugin) pluginRecord {
	return pluginRecord{
		present, p.Name, p.Mount, p.Space, p.Vars, newGrant(p.Grant), (*corsRecord)(p.CORS), limitsRecord(p.Limits),
		p.Deployment, p.Active, p.Previous, p.Versions, p.Created, p.Deleted,
	}
}

func (r pluginRecord) value(all capability.List) (plugin.Plugin, error) {
	grant, err := readGrant(all, r.Grant)
	return plugin.Plugin{
		Name: r.Name, Mount: r.Mount, Space: r.Space, Vars: r.Vars, Grant: grant, CORS: (*plugin.CORS)(r.CORS), Limits: limit.Override(r.Limits),
		Deployment: r.Deployment, Active: r.Active, Previous: r.Previous, Versions: r.Versions, Created: r.Created, Deleted: r.Deleted,
	}, err
}

type versionRecord struct {
	header
	Number  int             `json:"number"`
	Digest  plugin.Digest   `json:"digest"`
	Size    int64           `json:"size"`
	Label   string          `json:"label,omitempty"`
	By      string          `json:"by,omitempty"`
	Created time.Time       `json:"created"`
	Ask     json.RawMessage `json:"ask"`
	Mount   plugin.Mount    `json:"mount,omitempty"`
}

func newVersionRecord(v plugin.Version) versionRecord {
	return versionRecord{present, v.Number, v.Digest, v.Size, v.Label, v.By, v.Created, newGrant(v.Ask), v.Mount}
}

func (r versionRecord) value(all capability.List) (plugin.Version, error) {
	ask, err := readGrant(all, r.Ask)
	return plugin.Version{
		Number: r.Number, Digest: r.Digest, Size: r.Size, Label: r.Label, By: r.By, Created: r.Created,
		Ask: ask, Mount: r.Mount,
	}, err
}

type deploymentRecord struct {
	header
	Number  int               `json:"number"`
	Version int               `json:"version"`
	Mount   plugin.Mount      `json:"mount"`
	Grant   json.RawMessage   `json:"grant"`
	Vars    map[string]string `json:"vars,omitempty"`
	CORS    *corsRecord       `json:"cors,omitempty"`
	Limits  limitsRecord      `json:"limits,omitzero"`
	By      string            `json:"by,omitempty"`
	Created time.Time         `json:"created"`
}

func newDeploymentRecord(d plugin.Deployment) deploymentRecord {
	return deploymentRecord{present, d.Number, d.Version, d.Mount, newGrant(d.Grant), d.Vars, (*corsRecord)(d.CORS), limitsRecord(d.Limits), d.By, d.Created}
}

func (r deploymentRecord) value(all capability.List) (plugin.Deployment, error) {
	grant, err := readGrant(all, r.Grant)
	return plugin.Deployment{
		Number: r.Number, Version: r.Version, Mount: r.Mount, Grant: grant, Vars: r.Vars,
		CORS: (*plugin.CORS)(r.CORS), Limits: limit.Override(r.Limits), By: r.By, Created: r.Created,
	}, err
}

// newGrant returns a grant as a part of records: an object of its members.
func newGrant(g plugin.Grant) json.RawMessage {
	object := []byte{'{'}
	for i, m := range g.Members() {
		if i > 0 {
			object = append(object, ',')
		}
		name, _ := json.Marshal(m.Name)
		value, _ := json.Marshal(m.Value) // a number, a string or true: it cannot fail
		object = append(append(append(object, name...), ':'), value...)
	}
	return append(object, '}')
}

// readGrant reads what newGrant wrote. Members that no capability knows grant
// nothing.
func readGrant(all capability.List, object json.RawMessage) (g plugin.Grant, err error) {
	if len(object) == 0 {
		return g, nil
	}
	var own struct {
		Stateful bool `json:"stateful"`
	}
	if err := json.Unmarshal(object, &own); err != nil {
		return g, err
	}
	g.Stateful = own.Stateful
	g.Terms, err = all.ReadTerms(object)
	return g, err
}

// corsRecord is a part of records.
type corsRecord struct {
	Origins     []string `json:"origins"`
	Methods     []string `json:"methods,omitempty"`
	Headers     []string `json:"headers,omitempty"`
	Expose      []string `json:"expose,omitempty"`
	Credentials bool     `json:"credentials,omitempty"`
	MaxAge      int      `json:"max_age,omitempty"`
}

// limitsRecord is a part of records; 0 = the manifest's.
type limitsRecord struct {
	Memory       int64         `json:"memory,omitempty"`
	Deadline     time.Duration `json:"deadline,omitempty"` // nanoseconds
	RequestBody  int64         `json:"request_body,omitempty"`
	ResponseBody int64         `json:"response_body,omitempty"`
	Concurrency  int           `json:"concurrency,omitempty"`
}

type eventRecord struct {
	header
	Number     uint64        `json:"number"`
	Time       time.Time     `json:"time"`
	By         string        `json:"by,omitempty"`
	Action     plugin.Action `json:"action"`
	Plugin     string        `json:"plugin"`
	Version    int           `json:"version,omitempty"`
	Deployment int           `json:"deployment,omitempty"`
	Detail     string        `json:"detail,omitempty"`
}

func newEventRecord(e plugin.Event) eventRecord {
	return eventRecord{present, e.Number, e.Time, e.By, e.Action, e.Plugin, e.Version, e.Deployment, e.Detail}
}

func (r eventRecord) value(capability.List) (plugin.Event, error) {
	return plugin.Event{
		Number: r.Number, Time: r.Time, By: r.By, Action: r.Action, Plugin: r.Plugin,
		Version: r.Version, Deployment: r.Deployment, Detail: r.Detail,
	}, nil
}

// spaceRecord is the id of a key space.
type spaceRecord struct {
	header
	Space uint64 `json:"space"`
}

func newSpaceRecord(space uint64) spaceRecord { return spaceRecord{present, space} }

func (r spaceRecord) value(capability.List) (uint64, error) { return r.Space, nil }

// UnmarshalJSON also reads format 0, a number.
func (r *spaceRecord) UnmarshalJSON(data []byte) error {
	if isObject(data) {
		type plain spaceRecord
		return json.Unmarshal(data, (*plain)(r))
	}
	return json.Unmarshal(data, &r.Space)
}

func isObject(data []byte) bool { return len(data) > 0 && data[0] == '{' }

// decode reads what is stored under key.
func decode[R record[T], T any](all capability.List, key string, data []byte) (value T, err error) {
	var h header
	if isObject(data) {
		err = json.Unmarshal(data, &h)
	}
	if h.Format > Format {
		return value, fault.New(fault.Invalid, "read the registry", fmt.Sprintf(
			"record %q was written by a newer wasmoor (record format %d; this one knows %d); run that version, or restore a backup from before the upgrade",
			key, h.Format, Format))
	}
	var r R
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err == nil {
		value, err = r.value(all)
	}
	if err != nil {
		return value, fault.Wrap(fault.Internal, "read the registry", fmt.Sprintf("record %q is damaged", key), err)
	}
	return value, nil
}
