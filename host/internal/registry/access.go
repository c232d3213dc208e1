package registry

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry/part"
)

// The keys of the records about who may do what.
const (
	prefixPass = "registry/token/" // ID: passRecord
	prefixTeam = "registry/team/"  // NAME: teamRecord
	prefixRule = "registry/trust/" // NAME: ruleRecord
	keyOwner   = "registry/owner"  // ownerRecord
)

// Access is all that is kept about who may do what.
type Access struct {
	Passes []auth.Pass
	Teams  []auth.Team
	Rules  []auth.Rule
	Owner  string // what the token file of the machine is known by (auth.Token.Known); "" = it is not yet
}

// Access returns what is kept, each kind by its key.
func (r *Registry) Access(context.Context) (all Access, err error) {
	err = r.view(func(tx *records) (err error) {
		all, err = tx.access()
		return err
	})
	return all, err
}

func (tx *records) access() (all Access, err error) {
	if all.Passes, err = every[passRecord, auth.Pass](tx, prefixPass); err != nil {
		return all, err
	}
	if all.Teams, err = every[teamRecord, auth.Team](tx, prefixTeam); err != nil {
		return all, err
	}
	if all.Rules, err = every[ruleRecord, auth.Rule](tx, prefixRule); err != nil {
		return all, err
	}
	all.Owner, _, err = get[ownerRecord](tx, keyOwner)
	return all, err
}

func every[R record[T], T any](tx *records, prefix string) (all []T, err error) {
	err = list[R](tx, prefix, func(v T) bool {
		all = append(all, v)
		return true
	})
	return all, err
}

// AccessChange is a transaction on who may do what: what is there, and what is
// to be put and removed.
type AccessChange struct {
	Access
	tx *records
}

// PutPass stores a pass by its id.
func (c *AccessChange) PutPass(p auth.Pass) error {
	return put(c.tx, prefixPass+p.ID, newPassRecord(p))
}

// RemovePass forgets a pass.
func (c *AccessChange) RemovePass(id string) error { return c.tx.Delete([]byte(prefixPass + id)) }

// PutTeam stores a team by its name.
func (c *AccessChange) PutTeam(t auth.Team) error {
	return put(c.tx, prefixTeam+t.Name, newTeamRecord(t))
}

// RemoveTeam forgets a team.
func (c *AccessChange) RemoveTeam(name string) error { return c.tx.Delete([]byte(prefixTeam + name)) }

// PutRule stores a rule by its name.
func (c *AccessChange) PutRule(r auth.Rule) error {
	return put(c.tx, prefixRule+r.Name, newRuleRecord(r))
}

// RemoveRule forgets a rule.
func (c *AccessChange) RemoveRule(name string) error { return c.tx.Delete([]byte(prefixRule + name)) }

// PutOwner stores what the token file of the machine is known by.
func (c *AccessChange) PutOwner(known string) error {
	return put(c.tx, keyOwner, newOwnerRecord(known))
}

// ChangeAccess runs act and commits what it did together with the event it
// returns; after a conflict again, on a new snapshot. An event without an action
// is none. Errors: those of act.
func (r *Registry) ChangeAccess(ctx context.Context, act func(*AccessChange) (plugin.Event, error)) error {
	r.changes.Lock()
	defer r.changes.Unlock()
	return r.change(ctx, func(tx *records) error {
		all, err := tx.access()
		if err != nil {
			return err
		}
		e, err := act(&AccessChange{all, tx})
		if err != nil || e.Action == "" {
			return err
		}
		return tx.audit(e)
	})
}

// ownerRecord is which token of the machine's owner was seen last, by its hash.
type ownerRecord struct {
	header
	Sum string `json:"sha256"`
}

func newOwnerRecord(sum string) ownerRecord { return ownerRecord{present, sum} }

func (r ownerRecord) value(capability.List) (string, error) { return r.Sum, nil }

type passRecord struct {
	header
	part.Pass
}

func newPassRecord(p auth.Pass) passRecord { return passRecord{present, part.NewPass(p)} }

func (r passRecord) value(capability.List) (auth.Pass, error) { return r.Value() }

type teamRecord struct {
	header
	part.Team
}

func newTeamRecord(t auth.Team) teamRecord { return teamRecord{present, part.Team(t)} }

func (r teamRecord) value(capability.List) (auth.Team, error) { return auth.Team(r.Team), nil }

type ruleRecord struct {
	header
	part.Rule
}

func newRuleRecord(r auth.Rule) ruleRecord { return ruleRecord{present, part.NewRule(r)} }

func (r ruleRecord) value(capability.List) (auth.Rule, error) { return r.Value() }
