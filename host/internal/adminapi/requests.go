package adminapi

import (
	"encoding/base64"
	"errors"
	"unicode/utf8"
)

// PluginRef names a plugin.
type PluginRef struct {
	Name string `path:"name" doc:"Name of the plugin" example:"guestbook"`
}

// Upload is the parameters of a deploy; its body is the module.
type Upload struct {
	PluginRef
	Mount    string `query:"mount" doc:"Where its routes hang, [host]/prefix; as it is, or /NAME for a new plugin" example:"/shop"`
	Label    string `query:"label" doc:"A name for the version, for people" maxLength:"128"`
	Grant    bool   `query:"grant" doc:"Grant what the manifest asks for"`
	Activate bool   `query:"activate" default:"true" doc:"Let it serve; false keeps it for later"`
}

// Activation is the body of a request that lets a version serve.
type Activation struct {
	Version int  `json:"version" minimum:"1" doc:"Number of the version that is to serve"`
	Grant   bool `json:"grant,omitempty" doc:"Grant what it asks for"`
}

// Removal asks for the deletion of a plugin.
type Removal struct {
	PluginRef
	Purge bool `query:"purge" doc:"Also delete the data, for good"`
}

// DeploymentsQuery asks for a page of deployments.
type DeploymentsQuery struct {
	PluginRef
	Before int `query:"before" minimum:"0" doc:"Only deployments before this number; 0 = from the newest"`
}

// VarRef names a var. The body of a request that sets it is the value.
type VarRef struct {
	PluginRef
	Var string `path:"var" doc:"Name of the var" example:"api_key"`
}

// KeysQuery asks for a page of keys.
type KeysQuery struct {
	PluginRef
	Prefix  string `query:"prefix" doc:"Only keys that start with it"`
	After   string `query:"after" doc:"Start after this key"`
	Limit   int    `query:"limit" minimum:"0" maximum:"1000" doc:"At most so many keys; 0 = 1000"`
	Reverse bool   `query:"reverse" doc:"From the highest key down"`
}

// Key is a key of a key space: as text, or in base64 where it is not UTF-8.
type Key struct {
	Text   string `query:"key" json:"key,omitempty" doc:"The key"`
	Base64 string `query:"key_base64" json:"key_base64,omitempty" doc:"The key in base64, where it is not UTF-8"`
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
		return nil, errors.New("the parameter key_base64 is not base64")
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
	TTL string `query:"ttl" doc:"How long the value lives; empty = for ever" example:"1h30m"`
}

// EventsQuery asks for a page of events.
type EventsQuery struct {
	After uint64 `query:"after" doc:"Only events after this number"`
	Limit int    `query:"limit" minimum:"0" maximum:"1000" doc:"At most so many events; 0 = 1000"`
}
