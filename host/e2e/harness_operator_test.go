package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// installed is what an operator sees of a ledger, and of a plugin that comes
// and goes beside it.
type installed struct {
	Labels []string // of the versions, from number 1 on; a version answers its label
	Active int
	Step   string // value of a var
	Extra  string // state of the other plugin; "" = there is none
}

// extra is the plugin that comes and goes.
const extra = "extra"

// operator changes one thing after the other and keeps account of what must be
// there. It is used by one goroutine at a time.
type operator struct {
	t      testing.TB
	plugin string
	rng    *rand.Rand

	now   installed
	maybe []installed // what a change that was not answered may have made of it
	steps int
}

// change is an admin request and what it leads to: the last of stages when it is
// acknowledged, any of them when it is not.
type change struct {
	send   func(context.Context, *server) error
	stages []installed
}

// step makes a change. It reports false when the server did not answer.
func (o *operator) step(ctx context.Context, s *server) bool {
	o.steps++
	c := o.choose()
	err := c.send(ctx, s)
	if err == nil {
		o.now = c.stages[len(c.stages)-1]
		return true
	}
	if refused, ok := errors.AsType[*refusedError](err); ok {
		o.t.Errorf("step %d: %v", o.steps, refused)
	}
	o.maybe = c.stages
	return false
}

func (o *operator) choose() change {
	switch o.rng.IntN(4) {
	case 0:
		return o.activate(1 + o.rng.IntN(len(o.now.Labels)))
	case 1:
		return o.setVar(fmt.Sprint("step ", o.steps))
	case 2:
		return o.toggleExtra()
	}
	return o.deploy(fmt.Sprint("version of step ", o.steps))
}

func (o *operator) deploy(label string) change {
	staged := o.now
	staged.Labels = append(slices.Clone(o.now.Labels), label)
	active := staged
	active.Active = len(active.Labels)
	module := pack(o.t, enginetest.Ledger(label), o.plugin, "[kv]", "[config]", "step = {}")
	return change{upload(o.plugin, label, module), []installed{staged, active}}
}

func upload(plugin, label string, module []byte) func(context.Context, *server) error {
	return func(ctx context.Context, s *server) error {
		return s.tryDeployLabelled(ctx, plugin, label, module)
	}
}

func (o *operator) activate(version int) change {
	next := o.now
	next.Active = version
	return change{func(ctx context.Context, s *server) error {
		return s.tryActivate(ctx, o.plugin, version)
	}, []installed{next}}
}

func (o *operator) setVar(value string) change {
	next := o.now
	next.Step = value
	return change{func(ctx context.Context, s *server) error {
		return s.tryAPI(ctx, nil, "PUT", "/v1/plugins/"+o.plugin+"/vars/step", []byte(value))
	}, []installed{next}}
}

func (o *operator) toggleExtra() change {
	staged, next := o.now, o.now
	if o.now.Extra != "" {
		next.Extra = ""
		return change{func(ctx context.Context, s *server) error {
			return s.tryAPI(ctx, nil, "DELETE", "/v1/plugins/"+extra+"?purge=true", nil)
		}, []installed{next}}
	}
	staged.Extra, next.Extra = "stopped", "serving"
	return change{upload(extra, "", pack(o.t, enginetest.Tiny(), extra)), []installed{staged, next}}
}

// check compares the server with what must be there, and takes over what it
// finds there of a change that was not acknowledged. It returns what the active
// version answers.
func (o *operator) check(s *server) (answers string) {
	o.t.Helper()
	got := o.observe(s)
	same := func(want installed) bool { return cmp.Equal(got, want) }
	if !same(o.now) && !slices.ContainsFunc(o.maybe, same) {
		o.t.Errorf("step %d: the server differs from what was acknowledged (-want +got):\n%s\nand from what the change on its way makes of it: %+v",
			o.steps, cmp.Diff(o.now, got), o.maybe)
	}
	o.now, o.maybe = got, nil
	return got.Labels[got.Active-1]
}

// observe asks the server in several ways, which must agree.
func (o *operator) observe(s *server) (got installed) {
	o.t.Helper()
	var versions []struct {
		Number int
		Label  string
	}
	s.api(&versions, "GET", "/v1/plugins/"+o.plugin+"/versions")
	slices.Reverse(versions)
	for i, v := range versions {
		if v.Number != i+1 {
			o.t.Errorf("version %d is listed in place %d", v.Number, i+1)
		}
		got.Labels = append(got.Labels, v.Label)
	}
	var vars []struct{ Name, Value string }
	s.api(&vars, "GET", "/v1/plugins/"+o.plugin+"/vars")
	got.Step = vars[0].Value
	got.Active = o.observeDeployment(s)
	got.Extra = o.observeExtra(s)
	return got
}

// observeDeployment returns the version that serves.
func (o *operator) observeDeployment(s *server) int {
	o.t.Helper()
	p, _ := s.status(o.plugin)
	var deployments []struct{ Number, Version int }
	s.api(&deployments, "GET", "/v1/plugins/"+o.plugin+"/deployments")
	if !serves(p) || p.Deployment != deployments[0].Number || p.Version != deployments[0].Version {
		o.t.Errorf("the status of %s is %+v, its newest deployment %+v", o.plugin, p, deployments[0])
	}
	return p.Version
}

// observeExtra returns the state of the other plugin, which the listing of all
// and its routes must agree with.
func (o *operator) observeExtra(s *server) string {
	o.t.Helper()
	var all []pluginStatus
	s.api(&all, "GET", "/v1/plugins")
	var names []string
	for _, p := range all {
		names = append(names, p.Name)
	}
	p, exists := s.status(extra)
	want, status := []string{o.plugin}, http.StatusNotFound
	if exists {
		want = []string{extra, o.plugin}
	}
	if serves(p) {
		status, p.State = http.StatusOK, "serving"
	}
	if a := s.get("/" + extra + "/"); !cmp.Equal(names, want) || a.status != status {
		o.t.Errorf("with %s %q the plugins are %q and it answers %v", extra, p.State, names, a)
	}
	return p.State
}
