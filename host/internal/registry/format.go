package registry

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/audit"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry/part"
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
//	3  teams, tokens and rules of trust; the roll-out and the pins of a plugin; secrets
//	   in records of their own, sealed, and in no other; events are a chain (package
//	   audit), and say who, for which request, and what was before and after; what an
//	   operator has stopped; what was decided of a version; several
//	   mounts of a plugin, with spaces between; where the data of a plugin is
const Format = 3

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
	Mount      plugin.Mounts     `json:"mount"`
	Space      uint64            `json:"space"`
	Data       uint64            `json:"data,omitempty"`
	Vars       map[string]string `json:"vars,omitempty"`
	Grant      json.RawMessage   `json:"grant"`
	CORS       *part.CORS        `json:"cors,omitempty"`
	Limits     part.Limits       `json:"limits,omitzero"`
	Deployment int               `json:"deployment"`
	Active     int               `json:"active"`
	Previous   int               `json:"previous,omitempty"`
	Versions   int               `json:"versions"`
	Rollout    *part.Rollout     `json:"rollout,omitempty"`
	Pins       []int             `json:"pins,omitempty"`
	Created    time.Time         `json:"created"`
	Deleted    bool              `json:"deleted,omitempty"`
}

func newPluginRecord(p plugin.Plugin) pluginRecord {
	return pluginRecord{
		present, p.Name, p.Mount, p.Space, p.Data, p.Vars, capability.WriteGrant(p.Grant), (*part.CORS)(p.CORS), part.Limits(p.Limits),
		p.Deployment, p.Active, p.Previous, p.Versions, part.NewRollout(p.Rollout), p.Pins, p.Created, p.Deleted,
	}
}

func (r pluginRecord) value(all capability.List) (plugin.Plugin, error) {
	grant, err := all.ReadGrant(r.Grant)
	return plugin.Plugin{
		Name: r.Name, Mount: r.Mount, Space: r.Space, Data: r.Data, Vars: r.Vars, Grant: grant, CORS: (*plugin.CORS)(r.CORS), Limits: limit.Override(r.Limits),
		Deployment: r.Deployment, Active: r.Active, Previous: r.Previous, Versions: r.Versions,
		Rollout: r.Rollout.Value(), Pins: r.Pins, Created: r.Created, Deleted: r.Deleted,
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
	Mount   plugin.Mounts   `json:"mount,omitempty"`

	Approved bool            `json:"approved,omitempty"`
	Rejected *part.Rejection `json:"rejected,omitempty"`
}

func newVersionRecord(v plugin.Version) versionRecord {
	return versionRecord{
		present, v.Number, v.Digest, v.Size, v.Label, v.By, v.Created, capability.WriteGrant(v.Ask), v.Mount, v.Approved, (*part.Rejection)(v.Rejected),
	}
}

func (r versionRecord) value(all capability.List) (plugin.Version, error) {
	ask, err := all.ReadGrant(r.Ask)
	return plugin.Version{
		Number: r.Number, Digest: r.Digest, Size: r.Size, Label: r.Label, By: r.By, Created: r.Created,
		Ask: ask, Mount: r.Mount, Approved: r.Approved, Rejected: (*plugin.Rejection)(r.Rejected),
	}, err
}

type deploymentRecord struct {
	header
	Number  int               `json:"number"`
	Version int               `json:"version"`
	Mount   plugin.Mounts     `json:"mount"`
	Grant   json.RawMessage   `json:"grant"`
	Vars    map[string]string `json:"vars,omitempty"`
	CORS    *part.CORS        `json:"cors,omitempty"`
	Limits  part.Limits       `json:"limits,omitzero"`
	By      string            `json:"by,omitempty"`
	Created time.Time         `json:"created"`
}

func newDeploymentRecord(d plugin.Deployment) deploymentRecord {
	return deploymentRecord{present, d.Number, d.Version, d.Mount, capability.WriteGrant(d.Grant), d.Vars, (*part.CORS)(d.CORS), part.Limits(d.Limits), d.By, d.Created}
}

func (r deploymentRecord) value(all capability.List) (plugin.Deployment, error) {
	grant, err := all.ReadGrant(r.Grant)
	return plugin.Deployment{
		Number: r.Number, Version: r.Version, Mount: r.Mount, Grant: grant, Vars: r.Vars,
		CORS: (*plugin.CORS)(r.CORS), Limits: limit.Override(r.Limits), By: r.By, Created: r.Created,
	}, err
}

// eventRecord as it is stored is a line of the audit's export, but for the line end.
type eventRecord struct {
	header
	part.Event
}

func newEventRecord(e plugin.Event) eventRecord { return eventRecord{present, part.NewEvent(e)} }

func (r eventRecord) value(capability.List) (plugin.Event, error) { return r.Value(), nil }

// chainRecord says where the chain of events begins and ends.
type chainRecord struct {
	header
	Begin part.Point `json:"begin"` // after the last event that was pruned
	End   part.Point `json:"end"`
}

// chain is where the events of the audit begin and end.
type chain struct{ begin, end audit.Point }

func newChainRecord(c chain) chainRecord {
	return chainRecord{present, part.Point(c.begin), part.Point(c.end)}
}

func (r chainRecord) value(capability.List) (chain, error) {
	return chain{audit.Point(r.Begin), audit.Point(r.End)}, nil
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
