package host

import (
	"context"
	"reflect"

	"github.com/wasmoor/wasmoor/host/internal/ceiling"
	"github.com/wasmoor/wasmoor/host/internal/openfiles"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/policy"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/setting"
)

// Changed is a key of the configuration of which Reload was told another value.
type Changed struct {
	Key      string // as in a config file
	From, To string // as text
	Live     bool   // it holds from now on; else from the next start on

	field string
}

// changeable has each field of Config that a host can change while it serves, with what
// makes it hold. The others are where the host listens and keeps its data, what
// connections and the store were made with (fasthttp reads the timeouts of a server
// without a lock), and what plugins may reach: idle connections to services would
// outlive a change of that.
var changeable = map[string]func(*Host, *Config) error{
	"DrainDelay": later, "DrainTimeout": (*Host).limitPlugins,
	"MaxConns": (*Host).limitConns, "MaxConnsPerIP": (*Host).limitConns, "MaxSockets": (*Host).limitConns, "MaxSocketsPerIP": (*Host).limitConns, "TrustedProxies": (*Host).limitConns,
	"MaxBodyMemory": (*Host).limitMemory, "MaxReplyMemory": (*Host).limitMemory, "MaxHandlerMemory": (*Host).limitMemory,
	"MaxGuestMemory": (*Host).limitPlugins, "MaxBodyDisk": (*Host).limitPlugins, "SleepAfter": (*Host).limitPlugins,
	"MaxBuildMemory": (*Host).limitBuilds, "MaxBuildTime": (*Host).limitBuilds, "MaxFunction": (*Host).limitBuilds, "MaxArtefactDisk": (*Host).limitBuilds,
	"KeepVersions": (*Host).retain, "KeepVersionsAge": (*Host).retain, "KeepDeployments": (*Host).retain, "KeepEvents": (*Host).retain,
	"Policy":  later, // Reload has read it
	"TLSCert": (*Host).useCertificate, "TLSKey": (*Host).useCertificate,
	"Canary": later, "CanaryKey": later, // each deploy asks canary
	"AccessLogSample": (*Host).sample,
	"BackupTo":        (*Host).backUp, "BackupEvery": (*Host).backUp, "BackupKeep": (*Host).backUp, "BackupKeepFor": (*Host).backUp, "BackupRecipients": (*Host).backUp,
}

// later is for what the host asks for when it needs it.
func later(*Host, *Config) error { return nil }

// Settings returns the configuration that holds now.
func (h *Host) Settings() Config { return *h.settings.Load() }

// Reload makes those values of cfg hold that a host can change while it serves, and
// returns the keys that differ from what held, in the order of Config. The audit says
// what changed, and by whom. Requests that run keep what they have. Functions and
// loggers in cfg are not looked at.
// Errors: Invalid for a wrong value, and then nothing has changed; Unavailable when
// one cannot hold, and then some may.
func (h *Host) Reload(ctx context.Context, cfg Config, by string) ([]Changed, error) {
	h.reloading.Lock()
	defer h.reloading.Unlock()
	if err := Check(cfg); err != nil {
		return nil, err
	}
	now := h.Settings()
	rules, err := policy.Load(cfg.Policy)
	if err != nil {
		return nil, err
	}
	changes := differences(&now, &cfg)
	before := h.gate.Use(rules)
	if before.String() != rules.String() { // another file, or another text in it
		changes = append(changes, Changed{Key: "policy", From: before.String(), To: rules.String(), Live: true, field: "Policy"})
	}
	to := reflect.ValueOf(&now).Elem()
	for _, c := range changes {
		if c.Live {
			to.FieldByName(c.field).Set(reflect.ValueOf(cfg).FieldByName(c.field))
		}
	}
	done := map[uintptr]bool{} // what several fields share is done once
	for _, c := range changes {
		if !c.Live || done[reflect.ValueOf(changeable[c.field]).Pointer()] {
			continue
		}
		if err := changeable[c.field](h, &now); err != nil {
			return nil, err
		}
		done[reflect.ValueOf(changeable[c.field]).Pointer()] = true
	}
	h.settings.Store(&now)
	return changes, h.tell(ctx, changes, by)
}

// tell records in the audit what a reload has changed.
func (h *Host) tell(ctx context.Context, changes []Changed, by string) error {
	e := plugin.Event{By: by, Action: plugin.ActionReload}
	for _, c := range changes {
		if c.Live {
			e.Changes = append(e.Changes, plugin.Difference{What: c.Key, Before: c.From, After: c.To})
		}
	}
	if e.Changes == nil {
		return nil
	}
	return h.registry.Note(ctx, e)
}

// programs are the fields that a program decides, and no setting, and the policy, whose
// text counts.
var programs = []string{"AccessLogApart", "AccessLogAgents", "ArtefactDir", "Policy", "SecretsKey", "SecretsKeySource", "TokenFile"}

// differences lists the fields of two configurations that differ.
func differences(from, to *Config) (changes []Changed) {
	sameScheme := (from.TLSCert == "") == (to.TLSCert == "") // a listener does not change between HTTP and TLS
	for _, d := range setting.Differences(from, to, programs) {
		changes = append(changes, Changed{
			Key: Key(d.Field), From: d.From, To: d.To, field: d.Field,
			Live: changeable[d.Field] != nil && (sameScheme || d.Field != "TLSCert" && d.Field != "TLSKey"),
		})
	}
	return changes
}

// Key returns the key that a field of Config has in a config file.
func Key(field string) string { return setting.Key(field) }

// Text returns the value of a field of Config as an operator would write it, without
// quotes.
func (c *Config) Text(field string) string { return setting.Text(c, field) }

func (h *Host) limitConns(c *Config) error {
	proxies, err := c.trustedProxies()
	if err != nil {
		return err
	}
	open := h.public.Open() + int64(h.streams.Open())
	most, sockets, err := openfiles.Fit(c.MaxConns, c.MaxSockets, open, h.cfg.Log)
	if err != nil {
		return err
	}
	h.public.Limit(most, c.MaxConnsPerIP, proxies)
	h.streams.Limit(sockets, c.MaxSocketsPerIP, wire.Networks(proxies).Contain)
	return nil
}

func (h *Host) limitMemory(c *Config) error {
	h.bodies.Resize(c.MaxBodyMemory)
	h.replies.Resize(c.MaxReplyMemory)
	h.handlers.Resize(c.MaxHandlerMemory)
	h.boundMemory(c)
	return nil
}

func (h *Host) limitPlugins(c *Config) error {
	h.guests.Resize(c.MaxGuestMemory)
	h.boundMemory(c)
	h.spool.Room().Resize(c.MaxBodyDisk)
	h.deployer.Limit(caps(c), c.SleepAfter)
	return nil
}

func caps(c *Config) ceiling.Caps {
	return ceiling.Caps{Memory: c.MaxGuestMemory, BodyDisk: c.MaxBodyDisk, DrainTimeout: c.DrainTimeout}
}

func (h *Host) limitBuilds(c *Config) error {
	h.pipeline.Limit(buildLimits(*c))
	return nil
}

func (h *Host) retain(c *Config) error {
	h.registry.Retain(registry.Retention{Versions: c.KeepVersions, VersionsAge: c.KeepVersionsAge, Deployments: c.KeepDeployments, Events: c.KeepEvents})
	return nil
}

func (h *Host) useCertificate(c *Config) error { return h.certificate.Use(c.TLSCert, c.TLSKey) }

func (h *Host) sample(c *Config) error {
	h.sampled.Set(c.AccessLogSample)
	return nil
}

// backUp begins another schedule. A backup that is under way ends, and is due again.
func (h *Host) backUp(c *Config) error {
	plan, err := c.backupPlan()
	plan.Log = h.cfg.Log
	if err == nil {
		h.backups.Use(plan)
	}
	return err
}

// canary is how a version takes over whose deploy does not say.
func (h *Host) canary() plugin.Canary {
	c := h.settings.Load()
	canary, _ := plugin.ParseCanary(c.Canary, c.CanaryKey) // it was checked
	return canary
}
