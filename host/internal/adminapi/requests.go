package adminapi

import (
	"encoding/base64"
	"errors"
	"fmt"
	"unicode/utf8"
)

// PluginRef names a plugin.
type PluginRef struct {
	Name string `path:"name" maxLength:"63" pattern:"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" patternDescription:"1 to 63 of a-z, 0-9 and -, not starting or ending with -" doc:"Name of the plugin" example:"guestbook"`
}

// Upload is the parameters of a deploy; its body is the module.
type Upload struct {
	PluginRef
	Mount    []string `query:"mount,explode" nullable:"false" maxItems:"32" maxLength:"512" pattern:"^(([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?/((\\.{0,2}[A-Za-z0-9_~-][A-Za-z0-9._~-]*|\\.{3}[A-Za-z0-9._~-]*)(/(\\.{0,2}[A-Za-z0-9_~-][A-Za-z0-9._~-]*|\\.{3}[A-Za-z0-9._~-]*))*/?)?)?$" patternDescription:"[host]/prefix without dot segments, e.g. /shop or example.org/shop" doc:"Where its routes hang, [host]/prefix, once for each mount; as it is, or /NAME for a new plugin"`
	Label    string   `query:"label" maxLength:"128" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters" doc:"A name for the version, for people" example:"1.2.0"`
	Grant    bool     `query:"grant" doc:"Grant what the manifest asks for"`
	Canary   string   `query:"canary" pattern:"^(off|default|[0-9]{1,2}(\\.[0-9]{1,2})?%:([0-9]{1,6}(ms|h|m|s)){1,3}(,[0-9]{1,2}(\\.[0-9]{1,2})?%:([0-9]{1,6}(ms|h|m|s)){1,3}){0,19})?$" patternDescription:"off, default, or shares with times as in 5%:2m,25%:5m" doc:"Take over step by step by this plan; off = at once, empty = as the server is set" example:"5%:2m,25%:5m"`
	Key      string   `query:"key" pattern:"^(ip|cookie|header:[A-Za-z0-9!#$%&'*+.^_\x60|~-]{1,100})?$" patternDescription:"ip, cookie or header:NAME" doc:"By what a client is known, so that it stays on one version; empty = by its Authorization header, or else its address"`
	Activate bool     `query:"activate" default:"true" doc:"Let it serve; false keeps it for later"`
}

// Activation is the body of a request that lets a version serve.
type Activation struct {
	Version int      `json:"version" minimum:"1" maximum:"9007199254740991" doc:"Number of the version that is to serve" example:"1"`
	Grant   bool     `json:"grant,omitempty" nullable:"true" doc:"Grant what it asks for"`
	Force   bool     `json:"force,omitempty" nullable:"true" doc:"Have it serve although a database has had migrations that it does not know, and that do not say that it is compatible"`
	Canary  string   `json:"canary,omitempty" nullable:"true" pattern:"^(off|default|[0-9]{1,2}(\\.[0-9]{1,2})?%:([0-9]{1,6}(ms|h|m|s)){1,3}(,[0-9]{1,2}(\\.[0-9]{1,2})?%:([0-9]{1,6}(ms|h|m|s)){1,3}){0,19})?$" patternDescription:"off, default, or shares with times as in 5%:2m,25%:5m" doc:"Take over step by step by this plan; off or absent = at once" example:"5%:2m,25%:5m"`
	Key     string   `json:"key,omitempty" nullable:"true" pattern:"^(ip|cookie|header:[A-Za-z0-9!#$%&'*+.^_\x60|~-]{1,100})?$" patternDescription:"ip, cookie or header:NAME" doc:"By what a client is known, so that it stays on one version; absent = by its Authorization header, or else its address"`
	Mount   []string `json:"mount,omitempty" nullable:"true" maxItems:"32" maxLength:"512" pattern:"^(([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?/((\\.{0,2}[A-Za-z0-9_~-][A-Za-z0-9._~-]*|\\.{3}[A-Za-z0-9._~-]*)(/(\\.{0,2}[A-Za-z0-9_~-][A-Za-z0-9._~-]*|\\.{3}[A-Za-z0-9._~-]*))*/?)?)?$" patternDescription:"[host]/prefix without dot segments, e.g. /shop or example.org/shop" doc:"Where it is to serve from now on, each [host]/prefix; absent = where the plugin is"`
}

// Approve is the body of a request that grants what a version asks for, and lets it serve
// where its upload wants it to.
type Approve struct {
	Version int    `json:"version" minimum:"1" maximum:"9007199254740991" doc:"Number of the version" example:"2"`
	Digest  string `json:"ask_digest" minLength:"64" maxLength:"64" pattern:"^[0-9a-f]+$" patternDescription:"64 hexadecimal digits in lower case" doc:"Of what was shown of it. The request is refused when it asks for something else by now" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
}

// Reject is the body of a request that decides that a version does not serve.
type Reject struct {
	Version int    `json:"version" minimum:"1" maximum:"9007199254740991" doc:"Number of the version" example:"2"`
	Reason  string `json:"reason,omitempty" nullable:"true" maxLength:"200" doc:"For whoever deployed it: one line"`
}

// RolloutAct is the body of a request that changes a roll-out.
type RolloutAct struct {
	Act  string `json:"act" pattern:"^(promote|pause|resume|abort)$" patternDescription:"promote, pause, resume or abort" doc:"promote goes to the next step, abort back to the version before"`
	Full bool   `json:"full,omitempty" nullable:"true" doc:"With promote: to everybody at once"`
}

// NewPreview is the body of a request that lets a version serve at an address of its
// own, or ends all of a plugin.
type NewPreview struct {
	Version int  `json:"version,omitempty" nullable:"true" minimum:"0" maximum:"9007199254740991" doc:"Number of the version; 0 with end" example:"2"`
	Minutes int  `json:"minutes,omitempty" nullable:"true" minimum:"0" maximum:"1440" doc:"How long it lasts; 0 = 60"`
	Writes  bool `json:"writes,omitempty" nullable:"true" doc:"Keep what it writes; else all of it is dropped"`
	End     bool `json:"end,omitempty" nullable:"true" doc:"End all previews of the plugin"`
}

// Pin is the body of a request that keeps a version.
type Pin struct {
	Version int  `json:"version" minimum:"1" maximum:"9007199254740991" doc:"Number of the version" example:"1"`
	Unpin   bool `json:"unpin,omitempty" nullable:"true" doc:"Keep it no longer than others"`
}

// VarsChange is the body of a request that changes several vars at once.
type VarsChange struct {
	Set   map[string]string `json:"set,omitempty" nullable:"true" maxProperties:"256" doc:"Values by the name of the var"`
	Unset []string          `json:"unset,omitempty" nullable:"true" maxItems:"256" maxLength:"64" pattern:"^[A-Za-z_][A-Za-z0-9_]*$" patternDescription:"1 to 64 letters, digits and _, not starting with a digit" doc:"Names of vars whose value is taken away"`
}

// Prune is the body of a request that removes old records. A number of 0, or one that
// is absent, keeps all.
type Prune struct {
	Plugin      string `json:"plugin,omitempty" nullable:"true" maxLength:"63" pattern:"^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$" patternDescription:"1 to 63 of a-z, 0-9 and -, not starting or ending with -" doc:"Only of this plugin, and not of the audit" example:"guestbook"`
	Versions    int    `json:"versions,omitempty" nullable:"true" minimum:"0" maximum:"1000000" doc:"How many of the newest versions of a plugin to keep; the one that serves, the one before, those of a roll-out and pinned ones stay too"`
	VersionsAge int64  `json:"versions_age_seconds,omitempty" nullable:"true" minimum:"0" maximum:"3153600000" doc:"How old the others may be; the newest stays"`
	Deployments int    `json:"deployments,omitempty" nullable:"true" minimum:"0" maximum:"1000000" doc:"How many of its newest deployments to keep"`
	Events      int    `json:"events,omitempty" nullable:"true" minimum:"0" maximum:"1000000000" doc:"How many of the newest events of the audit to keep"`
	DryRun      bool   `json:"dry_run,omitempty" nullable:"true" doc:"Only count"`
}

// ModuleRef names a module that a version of a plugin has.
type ModuleRef struct {
	PluginRef
	Digest string `path:"digest" maxLength:"64" pattern:"^[0-9a-f]+$" patternDescription:"64 hexadecimal digits in lower case" doc:"SHA-256 of the module, without sha256:" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
}

// Removal asks for the deletion of a plugin.
type Removal struct {
	PluginRef
	Purge bool `query:"purge" doc:"Also delete the data, for good"`
}

// DeploymentsQuery asks for a page of deployments.
type DeploymentsQuery struct {
	PluginRef
	Before int `query:"before" minimum:"0" maximum:"9007199254740991" doc:"Only deployments before this number; 0 = from the newest"`
}

// VarRef names a var. The body of a request that sets it is the value.
type VarRef struct {
	PluginRef
	Var string `path:"var" maxLength:"64" pattern:"^[A-Za-z_][A-Za-z0-9_]*$" patternDescription:"1 to 64 letters, digits and _, not starting with a digit" doc:"Name of the var" example:"api_key"`
}

// RequestsQuery asks what became of the requests with an id. It is no part of a
// path, which an id may not stand in as it is.
type RequestsQuery struct {
	ID string `query:"id" required:"true" minLength:"1" maxLength:"128" doc:"The request's id, from its X-Request-Id" example:"01JDQ7YQ0T8Z3V5M6N1B2C3D4E"`
}

// LogsQuery asks for lines of a plugin's log, in the order they were logged. Level,
// Request and Version do not leave out the notes about dropped lines.
type LogsQuery struct {
	PluginRef
	After   string `query:"after" maxLength:"41" pattern:"^([0-9]{1,20}-[0-9]{1,20})?$" patternDescription:"the cursor of a line" doc:"Only lines after the one with this cursor" example:"1764400000-17"`
	Level   string `query:"level" maxLength:"5" pattern:"^(debug|info|warn|error)?$" patternDescription:"debug, info, warn or error" doc:"Only lines of this level or above; empty = all"`
	Request string `query:"request" maxLength:"128" doc:"Only lines of the request with this id"`
	Version int    `query:"version" minimum:"0" maximum:"9007199254740991" doc:"Only lines of this version; 0 = of all"`
	Since   string `query:"since" maxLength:"35" pattern:"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2}))?$" patternDescription:"a time as in RFC 3339" doc:"Only lines of this time or later" example:"2026-11-29T05:00:00Z"`
	Until   string `query:"until" maxLength:"35" pattern:"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2}))?$" patternDescription:"a time as in RFC 3339" doc:"Only lines of this time or earlier" example:"2026-11-29T06:00:00Z"`
	Tail    int    `query:"tail" minimum:"0" maximum:"1000000" doc:"Only the last so many; 0 = all"`
}

// KeysQuery asks for a page of keys.
type KeysQuery struct {
	PluginRef
	Prefix string `query:"prefix" maxLength:"1024" doc:"Only keys that start with it, at most 1024 bytes"`
	After  string `query:"after" maxLength:"1024" doc:"Start after this key, at most 1024 bytes"`
	// In base64 where they are not UTF-8, in place of Prefix and After.
	PrefixBase64 string `query:"prefix_base64" minLength:"4" maxLength:"1368" pattern:"^(?:[A-Za-z0-9+/]{4}){0,250}(?:[A-Za-z0-9+/]{4}){0,90}(?:[A-Za-z0-9+/]{4}(?:[A-Za-z0-9+/]{2}==)?|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?$" patternDescription:"base64 of at most 1024 bytes, with padding" doc:"The prefix in base64, where it is not UTF-8; not together with prefix"`
	AfterBase64  string `query:"after_base64" minLength:"4" maxLength:"1368" pattern:"^(?:[A-Za-z0-9+/]{4}){0,250}(?:[A-Za-z0-9+/]{4}){0,90}(?:[A-Za-z0-9+/]{4}(?:[A-Za-z0-9+/]{2}==)?|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?$" patternDescription:"base64 of at most 1024 bytes, with padding" doc:"The key in base64, where it is not UTF-8; not together with after"`
	Limit        int    `query:"limit" minimum:"0" maximum:"1000" doc:"At most so many keys; 0 = 1000"`
	Reverse      bool   `query:"reverse" doc:"From the highest key down"`
}

// Bounds returns the prefix and the key to start after, nil = none. The error is for
// who wrote them.
func (q KeysQuery) Bounds() (prefix, after []byte, err error) {
	if prefix, err = bound("prefix", q.Prefix, q.PrefixBase64); err == nil {
		after, err = bound("after", q.After, q.AfterBase64)
	}
	return prefix, after, err
}

func bound(name, text, encoded string) ([]byte, error) {
	switch {
	case text == "" && encoded == "":
		return nil, nil
	case text != "" && encoded != "":
		return nil, fmt.Errorf("give one of the parameters %s and %s_base64", name, name)
	}
	return Key{Text: text, Base64: encoded}.Bytes()
}

// Key is a key of a key space: as text, or in base64 where it is not UTF-8.
type Key struct {
	Text   string `query:"key" json:"key,omitempty" minLength:"1" maxLength:"1024" doc:"The key, at most 1024 bytes"`
	Base64 string `query:"key_base64" json:"key_base64,omitempty" minLength:"4" maxLength:"1368" pattern:"^(?:[A-Za-z0-9+/]{4}){0,250}(?:[A-Za-z0-9+/]{4}){0,90}(?:[A-Za-z0-9+/]{4}(?:[A-Za-z0-9+/]{2}==)?|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?$" patternDescription:"base64 of at most 1024 bytes, with padding" doc:"The key in base64, where it is not UTF-8"`
}

// KeyOf returns a key as it is written on the wire.
func KeyOf(key []byte) Key {
	if utf8.Valid(key) {
		return Key{Text: string(key)}
	}
	return Key{Base64: base64.StdEncoding.EncodeToString(key)}
}

// Bytes returns the key. The error is for who wrote it.
func (k Key) Bytes() ([]byte, error) {
	switch {
	case (k.Text == "") == (k.Base64 == ""):
		return nil, errors.New("name the key with one of the parameters key and key_base64")
	case k.Text != "":
		return []byte(k.Text), nil
	}
	key, err := base64.StdEncoding.DecodeString(k.Base64)
	if err != nil {
		return nil, fmt.Errorf("%.100q is not base64", k.Base64)
	}
	return key, nil
}

// ValueRef names the value of a key.
type ValueRef struct {
	PluginRef
	Key
}

// ValuePut is the parameters of a request that sets a value; its body is the
// value.
type ValuePut struct {
	ValueRef
	TTL string `query:"ttl" pattern:"^([0-9]{1,6}(\\.[0-9]{1,9})?h)?([0-9]{1,7}(\\.[0-9]{1,9})?m)?([0-9]{1,9}(\\.[0-9]{1,9})?s)?([0-9]{1,12}(\\.[0-9]{1,6})?ms)?$" patternDescription:"a duration above 0, e.g. 90s or 1h30m" doc:"How long the value lives; empty = for ever" example:"1h30m"`
}

// EventsQuery asks for a page of events.
type EventsQuery struct {
	After  uint64 `query:"after" maximum:"9007199254740991" doc:"Only events after this number"`
	Limit  int    `query:"limit" minimum:"0" maximum:"1000" doc:"At most so many events; 0 = 1000"`
	Plugin string `query:"plugin" maxLength:"63" pattern:"^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$" patternDescription:"1 to 63 of a-z, 0-9 and -, not starting or ending with -" doc:"Only events of this plugin; empty = of all"`
	Since  string `query:"since" maxLength:"35" pattern:"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2}))?$" patternDescription:"a time as in RFC 3339" doc:"Only events of this time or later" example:"2026-11-29T05:00:00Z"`
}

// AuditLinesQuery asks for a page of the audit as it is stored.
type AuditLinesQuery struct {
	After uint64 `query:"after" maximum:"9007199254740991" doc:"Only events after this number"`
}
