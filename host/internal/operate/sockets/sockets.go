// Package sockets shows an operator the sockets of plugins, and closes them. It answers
// in the types of package adminapi; package server/admin imports it.
package sockets

import (
	"cmp"
	"context"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/socket/hub"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Sockets answers an operator. Safe for concurrent use. Every method may return NotFound
// (the plugin) and the errors of the store.
type Sockets struct {
	registry *registry.Registry
	hub      *hub.Service
}

// New returns a Sockets of what a service has open.
func New(r *registry.Registry, s *hub.Service) *Sockets { return &Sockets{r, s} }

// List returns the sockets of a plugin that are open: at most limit, those that were
// opened first.
func (s *Sockets) List(ctx context.Context, name string, limit int) (page adminapi.SocketPage, err error) {
	if _, err := s.registry.Plugin(ctx, name); err != nil {
		return page, err
	}
	list := s.hub.List(name)
	page = adminapi.SocketPage{Sockets: []adminapi.Socket{}, Open: len(list)}
	for _, info := range list[:min(limit, len(list))] {
		o := adminapi.Socket{
			ID: info.ID, Kind: info.Kind.String(), Pattern: info.Pattern, Client: info.Client, Opened: info.Opened.UTC(), Topics: info.Topics, Waiting: info.Waiting,
		}
		if o.Topics == nil {
			o.Topics = []string{}
		}
		page.Sockets = append(page.Sockets, o)
	}
	return page, nil
}

// maxReason is how many bytes a close frame takes.
const maxReason = adminapi.MaxSocketReason

// Close closes a socket of a plugin, or all, and returns how many those are. The audit is
// told before. Errors: NotFound (the socket), Invalid (neither one nor all are meant, or
// the reason is too long).
func (s *Sockets) Close(ctx context.Context, name string, in adminapi.CloseSockets, by string) (int, error) {
	id := in.ID
	switch {
	case (id == "") != in.All: // an id that got lost does not close all
		return 0, fault.New(fault.Invalid, "", "say which socket to close: its id, or all")
	case len(in.Reason) > maxReason:
		return 0, fault.New(fault.Invalid, "", fmt.Sprintf("the reason has %d bytes; a socket takes at most %d", len(in.Reason), maxReason))
	}
	if _, err := s.registry.Plugin(ctx, name); err != nil {
		return 0, err
	}
	n := s.hub.Open(name, id)
	if n == 0 {
		if id == "" {
			return 0, nil
		}
		return 0, fault.New(fault.NotFound, "", fmt.Sprintf("plugin %q has no open socket %q; list them with: wasmoor socket list %s", name, id, name))
	}
	what := "socket " + id
	if id == "" {
		what = fmt.Sprintf("all %d sockets", n)
	}
	_, err := s.registry.ChangeKeys(ctx, name, func(*store.Tx) (plugin.Event, error) {
		return plugin.Event{By: by, Action: plugin.ActionSocketClose, Plugin: name, Detail: what}, nil
	})
	if err != nil {
		return 0, err
	}
	return s.hub.CloseSocket(name, id, cmp.Or(in.Reason, "an operator closed it")), nil
}
