package admin

import (
	"context"
	"encoding/base64"
	"time"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

type kvListInput struct {
	Name    string `path:"name" doc:"Name of the plugin" example:"guestbook"`
	Prefix  string `query:"prefix" doc:"Only keys that start with it"`
	After   string `query:"after" doc:"Start behind this key"`
	Limit   int    `query:"limit" minimum:"0" maximum:"1000" doc:"At most so many keys; 0 = 1000"`
	Reverse bool   `query:"reverse" doc:"From the highest key down"`
}

type kvPage struct {
	Entries []kvEntry `json:"entries"`
	More    bool      `json:"more" doc:"There are keys behind the last one"`
}

type kvEntry struct {
	Key       string `json:"key,omitempty"`
	KeyBase64 string `json:"key_base64,omitempty" doc:"Instead of key, where it is not UTF-8"`
	Size      int    `json:"size" doc:"Bytes of the value"`
}

type kvListOutput struct{ Body kvPage }

// kvKeyInput names a key: as text, or in base64.
type kvKeyInput struct {
	Name      string `path:"name" doc:"Name of the plugin" example:"guestbook"`
	Key       string `query:"key" doc:"The key"`
	KeyBase64 string `query:"key_base64" doc:"The key in base64, where it is not UTF-8"`
}

type kvPutInput struct {
	rawBody
	Name      string `path:"name" doc:"Name of the plugin" example:"guestbook"`
	Key       string `query:"key" doc:"The key"`
	KeyBase64 string `query:"key_base64" doc:"The key in base64, where it is not UTF-8"`
	TTL       string `query:"ttl" doc:"How long the value lives; empty = for ever" example:"1h30m"`
}

type kvValueOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (a *Admin) kvList(ctx context.Context, in *kvListInput) (*kvListOutput, error) {
	q := store.Query{Prefix: []byte(in.Prefix), Limit: in.Limit, Reverse: in.Reverse}
	if in.After != "" {
		q.After = []byte(in.After)
	}
	entries, more, err := a.cfg.Deployer.KVList(ctx, in.Name, q)
	if err != nil {
		return nil, err
	}
	page := kvPage{Entries: make([]kvEntry, 0, len(entries)), More: more}
	for _, e := range entries {
		page.Entries = append(page.Entries, newKVEntry(e))
	}
	return &kvListOutput{page}, nil
}

func newKVEntry(e deploy.KVEntry) kvEntry {
	if utf8.Valid(e.Key) {
		return kvEntry{Key: string(e.Key), Size: e.Size}
	}
	return kvEntry{KeyBase64: base64.StdEncoding.EncodeToString(e.Key), Size: e.Size}
}

func (a *Admin) kvGet(ctx context.Context, in *kvKeyInput) (*kvValueOutput, error) {
	key, err := keyOf(in.Key, in.KeyBase64)
	if err != nil {
		return nil, err
	}
	value, err := a.cfg.Deployer.KVGet(ctx, in.Name, key)
	return &kvValueOutput{"application/octet-stream", value}, err
}

func (a *Admin) kvPut(ctx context.Context, in *kvPutInput) (*struct{}, error) {
	key, err := keyOf(in.Key, in.KeyBase64)
	if err != nil {
		return nil, err
	}
	ttl, err := in.ttl()
	if err != nil {
		return nil, err
	}
	value, err := in.read(store.MaxValue)
	if err != nil {
		return nil, err
	}
	return nil, a.cfg.Deployer.KVPut(ctx, in.Name, key, value, ttl)
}

func (a *Admin) kvDelete(ctx context.Context, in *kvKeyInput) (*struct{}, error) {
	key, err := keyOf(in.Key, in.KeyBase64)
	if err != nil {
		return nil, err
	}
	return nil, a.cfg.Deployer.KVDelete(ctx, in.Name, key)
}

// keyOf returns the key that was named.
func keyOf(text, encoded string) ([]byte, error) {
	switch {
	case (text == "") == (encoded == ""):
		return nil, fault.New(fault.Invalid, "", "name the key with one of the parameters key and key_base64")
	case text != "":
		return []byte(text), nil
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fault.New(fault.Invalid, "", "the parameter key_base64 is not base64")
	}
	return key, nil
}

func (in *kvPutInput) ttl() (time.Duration, error) {
	if in.TTL == "" {
		return 0, nil
	}
	ttl, err := time.ParseDuration(in.TTL)
	if err != nil || ttl <= 0 {
		return 0, fault.New(fault.Invalid, "", "the parameter ttl must be a duration above 0, e.g. 90s or 1h30m")
	}
	return ttl, nil
}
