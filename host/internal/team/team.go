// Package team holds what the plugins of a team share: memory for their instances,
// disk for their keys, and their weight in the run queue. Package deploy tells it of
// plugins, package access of teams; package dispatch asks it when it makes an instance
// and begins a transaction.
package team

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/runq"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Teams knows the teams and the plugins. Safe for concurrent use.
type Teams struct {
	mu      sync.Mutex
	teams   []auth.Team
	rooms   map[string]*limit.Budget // the memory of each team, by its name
	members map[string]*Member       // by the name of the plugin
}

// New returns Teams without a team.
func New() *Teams {
	return &Teams{rooms: map[string]*limit.Budget{}, members: map[string]*Member{}}
}

// Member is a plugin among those of its team, if it has one. Safe for concurrent use;
// nil is of no team.
type Member struct {
	id     uint64      // of the plugin's records
	space  store.Space // under the lock of the teams
	shared atomic.Pointer[store.Shared]

	mu     sync.Mutex // guards the rest
	team   string
	room   *limit.Budget // nil = no bound
	held   int64         // bytes that its instances may grow to
	weight int
	line   *runq.Line
}

// Use makes these the teams. It holds at once for what begins from then on; more
// memory than a team has now is given back as instances are closed.
func (t *Teams) Use(teams []auth.Team) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.teams = teams
	t.share()
}

// Join makes plugins known, deleted ones too whose data is kept, and returns the last. One that is known stays what
// it is, unless it was purged meanwhile.
func (t *Teams) Join(plugins ...plugin.Plugin) (last *Member) {
	t.mu.Lock()
	defer t.mu.Unlock()
	joined := false
	for _, p := range plugins {
		space := store.Space(p.Keys())
		if last = t.members[p.Name]; last == nil || last.id != p.Space {
			last = &Member{id: p.Space, space: space, weight: 1}
			t.members[p.Name], joined = last, true
		}
		if last.space != space { // other data was put in place
			last.space, joined = space, true
		}
	}
	if joined {
		t.share()
	}
	return last
}

// Leave forgets a plugin that was purged. Its instances give back what they have.
func (t *Teams) Leave(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.members, name)
	t.share()
}

// share gives every member what is its team's. The caller holds mu.
func (t *Teams) share() {
	if len(t.teams) == 0 && len(t.rooms) == 0 {
		return
	}
	spaces, of := map[string][]store.Space{}, map[string]auth.Team{}
	for name, m := range t.members {
		if team, ok := Of(t.teams, name); ok {
			of[name] = team
			spaces[team.Name] = append(spaces[team.Name], m.space)
		}
	}
	rooms, disks := map[string]*limit.Budget{}, map[string]*store.Shared{}
	for _, team := range t.teams {
		room := t.rooms[team.Name]
		if room == nil {
			room = limit.NewBudget(0)
		}
		room.Resize(team.Memory)
		rooms[team.Name] = room
		if team.Disk > 0 {
			slices.Sort(spaces[team.Name])
			disks[team.Name] = &store.Shared{Name: team.Name, Bytes: team.Disk, Spaces: spaces[team.Name]}
		}
	}
	t.rooms = rooms
	for name, m := range t.members {
		team := of[name]
		m.shared.Store(disks[team.Name])
		m.move(team.Name, rooms[team.Name], max(team.Weight, 1))
	}
}

// Of returns the team that owns the plugin of a name.
func Of(teams []auth.Team, name string) (auth.Team, bool) {
	for _, team := range teams {
		if team.Plugins.Covers(name) {
			return team, true
		}
	}
	return auth.Team{}, false
}

// move makes a member one of a team, with what its instances have.
func (m *Member) move(team string, room *limit.Budget, weight int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.room != room {
		if m.room != nil {
			m.room.Give(m.held)
		}
		if room != nil {
			room.Give(-m.held) // it has them, whether there is room or not
		}
	}
	m.team, m.room, m.weight = team, room, weight
	m.line.SetWeight(weight)
}

// Serve gives the plugin's line in the run queue the weight of its team, from now on.
func (m *Member) Serve(line *runq.Line) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.line = line
	line.SetWeight(m.weight)
}

// Disk returns what the plugin shares with others of its key space, nil = nothing.
func (m *Member) Disk() *store.Shared {
	if m == nil {
		return nil
	}
	return m.shared.Load()
}

// Shared returns what the plugin of a name shares of its key space, nil = nothing.
func (t *Teams) Shared(name string) *store.Shared {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.members[name].Disk()
}

// Take notes that an instance is made that may grow to so many bytes. Give notes that it
// is closed. Unavailable when the team has no room for it.
func (m *Member) Take(bytes int64) error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.room != nil && !m.room.Take(bytes) {
		return &FullError{fault.New(fault.Unavailable, "instance", fmt.Sprintf(
			"the plugins of team %q may have %s of memory together, and %s are left: an instance of this one may grow to %s; lower limits.memory, or have an owner raise the quota: wasmoor team set %s --memory",
			m.team, limit.FormatSize(m.room.Size()), limit.FormatSize(max(m.room.Left(), 0)), limit.FormatSize(bytes), m.team))}
	}
	m.held += bytes
	return nil
}

// FullError says that a team has no room for an instance. It is Unavailable.
type FullError struct{ error }

// Unwrap returns the fault.
func (e *FullError) Unwrap() error { return e.error }

// Give gives back what Take took.
func (m *Member) Give(bytes int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held -= bytes
	if m.room != nil {
		m.room.Give(bytes)
	}
}

// With reports whether two plugins are of one team.
func (m *Member) With(other *Member) bool {
	if m == nil || other == nil {
		return false
	}
	m.mu.Lock()
	room := m.room
	m.mu.Unlock()
	other.mu.Lock()
	defer other.mu.Unlock()
	return room != nil && room == other.room
}

// Fits returns why no instance of a plugin could ever be made that may grow to so many
// bytes: its team has less. Exhausted.
func (t *Teams) Fits(name string, bytes int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	team, ok := Of(t.teams, name)
	if !ok || team.Memory == 0 || bytes <= team.Memory {
		return nil
	}
	return fault.New(fault.Exhausted, "", fmt.Sprintf(
		"limits.memory is %s, and the plugins of team %q may have %s of memory together, so that no instance could be made; lower it in the manifest or with: wasmoor limits set %s --memory %s, or have an owner raise the quota: wasmoor team set %s --memory",
		limit.FormatSize(bytes), team.Name, limit.FormatSize(team.Memory), name, limit.FormatSize(team.Memory), team.Name))
}

// Used is what the plugins of a team have at a moment.
type Used struct {
	Plugins int   // with deleted ones whose data is kept
	Memory  int64 // bytes that their instances may grow to
	Disk    int64 // bytes of their keys and values
}

// Store tells what a key space holds.
type Store interface {
	Usage(space store.Space) (store.Usage, error)
}

// Used returns what the plugins of a team have.
func (t *Teams) Used(team string, st Store) (used Used) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, m := range t.members {
		if of, ok := Of(t.teams, name); !ok || of.Name != team {
			continue
		}
		used.Plugins++
		m.mu.Lock()
		used.Memory += m.held
		m.mu.Unlock()
		for _, space := range []store.Space{m.space, m.space.In(store.AreaQueue)} {
			if has, err := st.Usage(space); err == nil { // else it is being purged
				used.Disk += has.Bytes
			}
		}
	}
	return used
}
