package limit

import (
	"fmt"
	"iter"
	"time"
)

// Override is what an operator has decided of a plugin's limits, in place of its
// manifest; a zero field leaves what the manifest says.
type Override Limits

// PageSize is the unit of a guest's memory, in bytes.
const PageSize = 64 << 10

// Over returns l with what o decides.
func (o Override) Over(l Limits) Limits {
	set(&l.Memory, o.Memory)
	set(&l.Deadline, o.Deadline)
	set(&l.RequestBody, o.RequestBody)
	set(&l.ResponseBody, o.ResponseBody)
	set(&l.Concurrency, o.Concurrency)
	return l
}

func set[T int | int64 | time.Duration](field *T, value T) {
	if value != 0 {
		*field = value
	}
}

// Check says what of o a plugin cannot have, "" = nothing.
func (o Override) Check() string {
	most := Maximum()
	for _, f := range []struct {
		key         string
		value, most int64
		shown       string
	}{
		{"memory", o.Memory, most.Memory, FormatSize(most.Memory)},
		{"deadline", int64(o.Deadline), int64(most.Deadline), most.Deadline.String()},
		{"request_body", o.RequestBody, most.RequestBody, FormatSize(most.RequestBody)},
		{"response_body", o.ResponseBody, most.ResponseBody, FormatSize(most.ResponseBody)},
		{"concurrency", int64(o.Concurrency), int64(most.Concurrency), fmt.Sprint(most.Concurrency)},
	} {
		if f.value < 0 || f.value > f.most {
			return fmt.Sprintf("%s must be above 0 and at most %s", f.key, f.shown)
		}
	}
	switch {
	case o.Memory%PageSize != 0:
		return fmt.Sprintf("memory %s is not a whole number of 64KiB pages", FormatSize(o.Memory))
	case o.Deadline%time.Millisecond != 0:
		return fmt.Sprintf("deadline %s is not a whole number of milliseconds", o.Deadline)
	}
	return ""
}

// All yields what o decides, as text for a person.
func (o Override) All() iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		_ = (o.Memory == 0 || yield("memory", FormatSize(o.Memory))) &&
			(o.Deadline == 0 || yield("deadline", o.Deadline.String())) &&
			(o.RequestBody == 0 || yield("request_body", FormatSize(o.RequestBody))) &&
			(o.ResponseBody == 0 || yield("response_body", FormatSize(o.ResponseBody))) &&
			(o.Concurrency == 0 || yield("concurrency", fmt.Sprint(o.Concurrency)))
	}
}
