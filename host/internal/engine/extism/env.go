package extism

import (
	"context"
	"log/slog"
)

// maxVars bounds what var_set keeps, as Extism does. Each var counts with what
// there is about it.
const (
	maxVars     = 1 << 20
	varOverhead = 40
)

// envFunctions are Extism's config, vars and log. Vars live as long as the
// invocation: what is to outlive it belongs into the key-value store.
func envFunctions() []function {
	list := []function{
		fallible(EnvModule, "config_get", "l>l", configGet),
		fallible(EnvModule, "var_get", "l>l", varGet),
		fallible(EnvModule, "var_set", "ll", varSet),
		plain(EnvModule, "get_log_level", ">i", logLevel),
	}
	for _, l := range []struct {
		name  string
		level slog.Level
	}{
		{"log_trace", slog.LevelDebug},
		{"log_debug", slog.LevelDebug},
		{"log_info", slog.LevelInfo},
		{"log_warn", slog.LevelWarn},
		{"log_error", slog.LevelError},
	} {
		list = append(list, plain(EnvModule, l.name, "l", func(s *state, args []uint64) uint64 {
			if s.inv != nil {
				s.inv.Log(l.level, s.text(args[0]))
			}
			s.arena.free(args[0])
			return 0
		}))
	}
	return list
}

// serving says why what belongs to a plugin is not there yet.
func (s *state) serving() error {
	switch {
	case s.inv == nil:
		return mistake("it is not available while the plugin initialises; call it in the function of a route")
	case s.inv.Env.Warmup:
		return mistake("it is not available while the version warms up; leave the request out of [[warmup]]")
	}
	return nil
}

// configGet returns a block with the value of an entry of the manifest's
// config; 0 when there is none.
func configGet(s *state, args []uint64) (uint64, error) {
	if err := s.serving(); err != nil {
		return 0, err
	}
	value, ok := s.inv.Env.Config[s.text(args[0])]
	if !ok {
		return 0, nil
	}
	return s.put([]byte(value))
}

func varGet(s *state, args []uint64) (uint64, error) {
	value, ok := s.vars[s.text(args[0])]
	s.arena.free(args[0])
	if !ok {
		return 0, nil
	}
	return s.put([]byte(value))
}

// varSet sets a var, or removes it when the value is block 0.
func varSet(s *state, args []uint64) (uint64, error) {
	name := s.text(args[0])
	s.arena.free(args[0])
	if old, ok := s.vars[name]; ok {
		s.varBytes -= varOverhead + len(name) + len(old)
		delete(s.vars, name)
	}
	if args[1] == 0 {
		return 0, nil
	}
	value := s.text(args[1])
	s.arena.free(args[1])
	size := varOverhead + len(name) + len(value)
	if s.varBytes+size > maxVars {
		return 0, mistake("its vars are over the limit of 1 MiB")
	}
	if s.vars == nil {
		s.vars = map[string]string{}
	}
	s.vars[name] = value
	s.varBytes += size
	return 0, nil
}

// Levels of get_log_level, as Extism numbers them.
const (
	levelTrace = 0
	levelInfo  = 2
	levelOff   = 1<<31 - 1
)

// logLevel tells a guest below what level nobody reads its lines.
func logLevel(s *state, _ []uint64) uint64 {
	if s.inv == nil || s.inv.Env.Log == nil {
		return levelOff
	}
	switch log := s.inv.Env.Log; {
	case log.Enabled(context.Background(), slog.LevelDebug):
		return levelTrace
	default:
		return levelInfo
	}
}
