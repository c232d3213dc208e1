package admin

import (
	"context"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

type kvPutInput struct {
	rawBody
	adminapi.ValuePut
}

type kvValueOutput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Body        []byte
}

func (a *Admin) kvList(ctx context.Context, in *adminapi.KeysQuery) (*output[adminapi.KeyPage], error) {
	prefix, after, err := in.Bounds()
	if err != nil {
		return nil, fault.New(fault.Invalid, "", err.Error())
	}
	return show(a.cfg.Operator.KVList(ctx, in.Name, store.Query{Prefix: prefix, After: after, Limit: in.Limit, Reverse: in.Reverse}))
}

func (a *Admin) kvGet(ctx context.Context, in *adminapi.ValueRef) (*kvValueOutput, error) {
	key, err := keyOf(in.Key)
	if err != nil {
		return nil, err
	}
	value, err := a.cfg.Operator.KVGet(ctx, in.Name, key)
	return &kvValueOutput{adminapi.TypeValue, value}, err
}

func (a *Admin) kvPut(ctx context.Context, in *kvPutInput) (*struct{}, error) {
	key, err := keyOf(in.Key)
	if err != nil {
		return nil, err
	}
	ttl, err := ttlOf(in.TTL)
	if err != nil {
		return nil, err
	}
	value, err := in.read(nil, store.MaxValue)
	if err != nil {
		return nil, err
	}
	return nil, a.cfg.Operator.KVPut(ctx, in.Name, key, value, ttl, by(ctx))
}

func (a *Admin) kvDelete(ctx context.Context, in *adminapi.ValueRef) (*struct{}, error) {
	key, err := keyOf(in.Key)
	if err != nil {
		return nil, err
	}
	return nil, a.cfg.Operator.KVDelete(ctx, in.Name, key, by(ctx))
}

// keyOf returns the key that was named.
func keyOf(k adminapi.Key) ([]byte, error) {
	key, err := k.Bytes()
	if err != nil {
		return nil, fault.New(fault.Invalid, "", err.Error())
	}
	return key, nil
}

func ttlOf(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	ttl, err := time.ParseDuration(text)
	if err != nil || ttl <= 0 {
		return 0, fault.New(fault.Invalid, "", "the parameter ttl must be a duration above 0, e.g. 90s or 1h30m")
	}
	return ttl, nil
}
