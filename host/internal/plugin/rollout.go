package plugin

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Rollout is how a version takes over from another one, step by step: each gives
// it a larger share of the clients.
type Rollout struct {
	From    int // the version that serves everybody else
	To      int // the version that takes over
	Plan    Plan
	Key     ClientKey
	Step    int // index into Plan
	Paused  bool
	By      string // who began it
	Started time.Time
	Stepped time.Time // when Step began

	Outcome RolloutOutcome // "" = it runs
	Reason  string         // of the outcome, with its numbers
	Ended   time.Time
}

// Runs reports whether r, nil = none, has not ended.
func (r *Rollout) Runs() bool { return r != nil && r.Outcome == "" }

// Weight is how many of WholeWeight the version has at the step.
func (r *Rollout) Weight() int { return r.Plan[r.Step].Weight }

// Salt keeps the clients of one roll-out from being those of the next: who meets
// new versions first is drawn anew each time.
func (r *Rollout) Salt() uint64 { return uint64(r.Started.UnixNano()) }

// RolloutOutcome says how a roll-out ended. The values are append-only.
type RolloutOutcome string

// The outcomes.
const (
	RolledOut  RolloutOutcome = "done"    // the version serves everybody
	RolledBack RolloutOutcome = "back"    // the gate found it worse
	RollAbort  RolloutOutcome = "aborted" // a person ended it, or the plugin was deleted
)

// WholeWeight is the weight of everybody: shares are counted in hundredths of a
// percent.
const WholeWeight = 100_00

// Plan is the steps of a roll-out. After the last one the version serves everybody.
type Plan []RolloutStep

// RolloutStep is a share of the clients, and how long at least it is watched.
type RolloutStep struct {
	Weight int // of WholeWeight
	Bake   time.Duration
}

// DefaultPlan is what a roll-out follows that names no other.
func DefaultPlan() Plan {
	return Plan{{1_00, 5 * time.Minute}, {5_00, 10 * time.Minute}, {25_00, 15 * time.Minute}}
}

// Bounds of a plan.
const (
	maxSteps = 20
	maxBake  = 7 * 24 * time.Hour
)

// ParsePlan reads "1%:5m,5%:10m,25%:15m": shares that grow, each with the time that
// it is watched. The step to 100 % is left out. Errors are Invalid.
func ParsePlan(text string) (Plan, error) {
	var p Plan
	for item := range strings.SplitSeq(text, ",") {
		share, bake, ok := strings.Cut(strings.TrimSpace(item), ":")
		percent, isShare := strings.CutSuffix(share, "%")
		if !ok || !isShare {
			return nil, badPlan(text, fmt.Sprintf("%q is not a share with a time, as 5%%:10m is", item))
		}
		f, err := strconv.ParseFloat(percent, 64)
		if err != nil || !(f >= 0.01 && f < 100) {
			return nil, badPlan(text, fmt.Sprintf("%q is not a share from 0.01%% to below 100%%, which is the end of every plan", share))
		}
		d, err := time.ParseDuration(bake)
		if err != nil || d < 0 || d > maxBake {
			return nil, badPlan(text, fmt.Sprintf("%q is not a time of at most %s", bake, maxBake))
		}
		p = append(p, RolloutStep{Weight: int(f*WholeWeight/100 + 0.5), Bake: d})
	}
	for i := 1; i < len(p); i++ {
		if p[i].Weight <= p[i-1].Weight {
			return nil, badPlan(text, "each share must be above the one before")
		}
	}
	if len(p) > maxSteps {
		return nil, badPlan(text, fmt.Sprintf("it has %d steps, at most %d are allowed", len(p), maxSteps))
	}
	return p, nil
}

func badPlan(text, why string) error {
	return fault.New(fault.Invalid, "", fmt.Sprintf("plan %.200q: %s", text, why))
}

// String returns the form that ParsePlan reads.
func (p Plan) String() string {
	steps := make([]string, len(p))
	for i, s := range p {
		steps[i] = Percent(s.Weight) + ":" + shortTime(s.Bake)
	}
	return strings.Join(steps, ",")
}

// shortTime writes 5m for 5m0s.
func shortTime(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Percent writes a weight as a share.
func Percent(weight int) string {
	return strconv.FormatFloat(float64(weight)*100/WholeWeight, 'f', -1, 64) + "%"
}

// ClientKey says by what a roll-out knows a client again, so that it stays on one
// version: "" = by its Authorization header, or by its address without one; "ip" = by
// its address; "header:NAME" = by that header, or by its address without it; "cookie"
// = by a cookie that the host sets.
type ClientKey string

// The client keys besides headers.
const (
	ByCaller ClientKey = ""
	ByIP     ClientKey = "ip"
	ByCookie ClientKey = "cookie"
)

const byHeader = "header:"

// ParseClientKey checks a key that comes from outside. Errors are Invalid.
func ParseClientKey(text string) (ClientKey, error) {
	k := ClientKey(text)
	if k == ByCaller || k == ByIP || k == ByCookie {
		return k, nil
	}
	name, ok := strings.CutPrefix(text, byHeader)
	if !ok || name == "" || len(name) > 100 || strings.Trim(name, tokenChars) != "" {
		return "", fault.New(fault.Invalid, "", fmt.Sprintf(
			`key %.120q: write ip, cookie, or header:NAME; without a key a client is known by its Authorization header, or else its address`, text))
	}
	return ClientKey(byHeader + strings.ToLower(name)), nil
}

const tokenChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"

// Header returns the header field, in lower case, that k knows a client by; "" =
// none.
func (k ClientKey) Header() string {
	if k == ByCaller {
		return "authorization"
	}
	name, _ := strings.CutPrefix(string(k), byHeader)
	if name == string(k) {
		return ""
	}
	return name
}

// OnNewSide reports whether the client that a hash stands for has the new version
// at a weight. Whoever has it at one weight has it at each larger one.
func (r *Rollout) OnNewSide(client uint64, weight int) bool {
	return mix(client^r.Salt())%WholeWeight < uint64(weight)
}

// mix spreads a hash over all its bits (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Canary says how a version is to take over. The zero Canary does so at once.
type Canary struct {
	Plan  Plan // nil = at once
	Key   ClientKey
	AsSet bool // as the server is set, but with Key if that is set
}

// ParseCanary reads what a change says: a plan, "default", "off" for at once, or
// nothing, for what is set. Errors are Invalid.
func ParseCanary(plan, key string) (c Canary, err error) {
	if c.Key, err = ParseClientKey(key); err != nil {
		return c, err
	}
	switch plan {
	case "":
		c.AsSet = true
	case "off":
	case "default":
		c.Plan = DefaultPlan()
	default:
		c.Plan, err = ParsePlan(plan)
	}
	return c, err
}
