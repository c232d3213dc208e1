package registry

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Format is the version of the records: the one this program writes, and the
// newest that it reads. Every record names its own, so that records of several
// formats may lie side by side. testdata/records holds one of each kind and
// format for ever.
//
//	0  the types of the domain as JSON, without a format; a space was a number
//	1  the types of this file
const Format = 1

// header is in every record but a manifest, which is the author's text.
type header struct {
	Format int `json:"format"`
}

// present is the header of what is written.
var present = header{Format}

// record is a T of the domain as it is stored.
type record[T any] interface{ value() T }

type pluginRecord struct {
	header
	Name       string            `json:"name"`
	Mount      plugin.Mount      `json:"mount"`
	Space      uint64            `json:"space"`
	Vars       map[string]string `json:"vars,omitempty"`
	Grant      grantRecord       `json:"grant"`
	CORS       *corsRecord       `json:"cors,omitempty"`
	Deployment int               `json:"deployment"`
	Active     int               `json:"active"`
	Versions   int               `json:"versions"`
	Created    time.Time         `json:"created"`
	Deleted    bool              `json:"deleted,omitempty"`
}

func newPluginRecord(p plugin.Plugin) pluginRecord {
	return pluginRecord{
		present, p.Name, p.Mount, p.Space, p.Vars, grantRecord(p.Grant), (*corsRecord)(p.CORS),
		p.Deployment, p.Active, p.Versions, p.Created, p.Deleted,
	}
}

func (r pluginRecord) value() plugin.Plugin {
	return plugin.Plugin{
		Name: r.Name, Mount: r.Mount, Space: r.Space, Vars: r.Vars, Grant: plugin.Grant(r.Grant), CORS: (*plugin.CORS)(r.CORS),
		Deployment: r.Deployment, Active: r.Active, Versions: r.Versions, Created: r.Created, Deleted: r.Deleted,
	}
}

type versionRecord struct {
	header
	Number  int           `json:"number"`
	Digest  plugin.Digest `json:"digest"`
	Size    int64         `json:"size"`
	Label   string        `json:"label,omitempty"`
	By      string        `json:"by,omitempty"`
	Created time.Time     `json:"created"`
	Ask     grantRecord   `json:"ask"`
	Mount   plugin.Mount  `json:"mount,omitempty"`
}

func newVersionRecord(v plugin.Version) versionRecord {
	return versionRecord{present, v.Number, v.Digest, v.Size, v.Label, v.By, v.Created, grantRecord(v.Ask), v.Mount}
}

func (r versionRecord) value() plugin.Version {
	return plugin.Version{
		Number: r.Number, Digest: r.Digest, Size: r.Size, Label: r.Label, By: r.By, Created: r.Created,
		Ask: plugin.Grant(r.Ask), Mount: r.Mount,
	}
}

type deploymentRecord struct {
	header
	Number  int               `json:"number"`
	Version int               `json:"version"`
	Mount   plugin.Mount      `json:"mount"`
	Grant   grantRecord       `json:"grant"`
	Vars    map[string]string `json:"vars,omitempty"`
	CORS    *corsRecord       `json:"cors,omitempty"`
	By      string            `json:"by,omitempty"`
	Created time.Time         `json:"created"`
}

func newDeploymentRecord(d plugin.Deployment) deploymentRecord {
	return deploymentRecord{present, d.Number, d.Version, d.Mount, grantRecord(d.Grant), d.Vars, (*corsRecord)(d.CORS), d.By, d.Created}
}

func (r deploymentRecord) value() plugin.Deployment {
	return plugin.Deployment{
		Number: r.Number, Version: r.Version, Mount: r.Mount, Grant: plugin.Grant(r.Grant), Vars: r.Vars,
		CORS: (*plugin.CORS)(r.CORS), By: r.By, Created: r.Created,
	}
}

// grantRecord is a part of records.
type grantRecord struct {
	KV       bool           `json:"kv,omitempty"`
	KVKeys   int64          `json:"kv_keys,omitempty"`
	KVBytes  int64          `json:"kv_bytes,omitempty"`
	Outbound plugin.Origins `json:"outbound,omitempty"`
	Stateful bool           `json:"stateful,omitempty"`
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

func (r eventRecord) value() plugin.Event {
	return plugin.Event{
		Number: r.Number, Time: r.Time, By: r.By, Action: r.Action, Plugin: r.Plugin,
		Version: r.Version, Deployment: r.Deployment, Detail: r.Detail,
	}
}

// spaceRecord is the id of a key space.
type spaceRecord struct {
	header
	Space uint64 `json:"space"`
}

func newSpaceRecord(space uint64) spaceRecord { return spaceRecord{present, space} }

func (r spaceRecord) value() uint64 { return r.Space }

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
func decode[R record[T], T any](key string, data []byte) (value T, err error) {
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
	if err != nil {
		return value, fault.Wrap(fault.Internal, "read the registry", fmt.Sprintf("record %q is damaged", key), err)
	}
	return r.value(), nil
}
