package egress

import (
	"crypto/sha256"
	"fmt"
	"net/http"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// Answers are what services answered the calls of one request, over its attempts.
// An attempt that makes the calls of the one before it, in the same order, gets the
// same answers, and no service hears of it. So a conflict after a call that must not
// be repeated does not end the request. One goroutine at a time uses them. They
// implement invoke.Calls. Close them.
type Answers struct {
	keeps  bool         // there may be another attempt
	depart func() error // returns once something may be sent
	list   []*answer    // of the calls that were sent, in order
	next   int          // the one that the attempt comes to
	size   int          // bytes that are kept
	share  limit.Share  // which has them
	made   bool         // a call was sent that may have changed something

	diverged error // why the attempt does not count
}

// NewAnswers returns the answers of a request that has made no call. keeps says
// that there may be another attempt, and share has what is kept for it. depart is called on the goroutine of the
// request before calls are sent, and not before they are answered again; its error
// ends the attempt.
func NewAnswers(keeps bool, share limit.Share, depart func() error) *Answers {
	return &Answers{keeps: keeps, share: share, depart: depart}
}

// asked is what makes two calls the same.
type asked struct {
	by                 *Client // whose plugin asks: each has secrets and grants of its own
	name               string  // for people
	line, header, body [sha256.Size]byte
}

// maxName bounds the name of a call, in bytes.
const maxName = 256

func (c *call) asked(by *Client, keeps bool) asked {
	u := *c.out.target.url
	u.RawQuery = "" // it may be secret
	name := c.out.method + " " + u.String()
	a := asked{by: by, name: name[:min(len(name), maxName)]}
	if !keeps {
		return a
	}
	a.line = sha256.Sum256(fmt.Appendf(nil, "%s %s %d", c.out.method, c.out.target.url, c.out.flags))
	header := []byte{}
	for _, f := range c.out.given {
		header = abi.AppendString(abi.AppendString(header, f.Name), f.Value)
	}
	a.header, a.body = sha256.Sum256(header), sha256.Sum256(c.out.body)
	return a
}

// differs says for a person what another call has asked.
func (a *asked) differs(other *asked) string {
	switch {
	case a.line != other.line && a.name == other.name:
		return a.name + " with another query"
	case a.line != other.line:
		return a.name
	case a.header != other.header:
		return a.name + " with another header"
	case a.body == other.body:
		return a.name + " by another plugin"
	}
	return a.name + " with another body"
}

// match gives calls of a client their answers, and returns those that are to be sent for one.
func (a *Answers) match(calls []*call, by *Client) (unsent []*call, err error) {
	for _, c := range calls {
		c.answer = &answer{lost: !a.keeps}
		if why := c.out.wrongLength(len(c.out.body)); why != "" {
			c.answer.take(c.out.target, reply{}, &failure{abi.Invalid, why}, nil)
			continue
		}
		c.answer.asked = c.asked(by, a.keeps)
		c.answer.unsafe = c.out.method != http.MethodGet && c.out.method != http.MethodHead && !by.cfg.Idempotent
		before, err := a.before(c.answer)
		if err != nil {
			return nil, err
		}
		if before != nil {
			c.answer = before
			continue
		}
		unsent = append(unsent, c)
	}
	return unsent, a.leave(unsent)
}

// leave returns once calls may be sent.
func (a *Answers) leave(unsent []*call) error {
	if len(unsent) == 0 {
		return nil
	}
	err := a.depart()
	for _, c := range unsent {
		if err != nil { // it was not sent
			c.answer.unsafe, c.answer.lost = false, true
		}
		a.made = a.made || c.answer.unsafe
	}
	return err
}

// before returns the answer that an attempt before got to the call of fresh. nil
// without an error makes fresh the answer in its place.
func (a *Answers) before(fresh *answer) (*answer, error) {
	at := a.next
	if at < len(a.list) && a.list[at].asked != fresh.asked {
		if made := firstUnsafe(a.list[at:]); made != nil {
			return nil, a.diverge(made, "and now asks for "+fresh.asked.differs(&made.asked))
		}
		a.drop(at)
	}
	a.next++
	switch {
	case at == len(a.list):
		a.list = append(a.list, fresh)
		return nil, nil
	case a.list[at].lost: // it is repeatable: see Again
		a.list[at].release()
		a.list[at] = fresh
		return nil, nil
	}
	return a.list[at], nil
}

func firstUnsafe(list []*answer) *answer {
	for _, e := range list {
		if e.unsafe {
			return e
		}
	}
	return nil
}

// diverge returns the error of an attempt that does not do what the one before did.
func (a *Answers) diverge(made *answer, what string) error {
	a.diverged = fault.New(fault.Diverged, "call", fmt.Sprintf(
		"the handler had sent %s, ran again after a conflict, %s; the call is not undone, and is not sent twice", made.asked.name, what))
	return a.diverged
}

// drop forgets the answers from at on.
func (a *Answers) drop(at int) {
	for _, e := range a.list[at:] {
		a.lose(e)
		e.release()
	}
	a.list = a.list[:at]
}

// What an answer and a field take of memory in addition to their text, about.
const answerCost = 1 << 10

// arrived keeps the head of an answer.
func (a *Answers) arrived(e *answer) {
	cost := answerCost + len(e.head.URL) + len(e.head.Reason)
	for _, f := range e.head.Headers {
		cost += fieldCost + len(f.Name) + len(f.Value)
	}
	a.charge(e, cost)
}

// keep keeps bytes of an answer's body.
func (a *Answers) keep(e *answer, data []byte) {
	if a.charge(e, len(data)) {
		e.body = append(e.body, data...)
	}
}

// charge reports whether there is room for so many bytes more of an answer. If
// not, the answer is lost.
func (a *Answers) charge(e *answer, n int) bool {
	if e.lost || a.size+n > MaxAnswers || !a.room(a.size+n) {
		a.lose(e)
		return false
	}
	e.cost += n
	a.size += n
	return true
}

// room reports whether the share has so many bytes, or gets them.
func (a *Answers) room(n int) bool {
	more := n - int(a.share.Held())
	return more <= 0 || a.share.Take(more)
}

func (a *Answers) lose(e *answer) {
	a.size -= e.cost
	e.lost, e.cost, e.body = true, 0, nil
}

// close ends an answer that the attempt reads no more of. If its body goes on, it
// can be given again as far as it was read, or the call is repeated.
func (a *Answers) close(e *answer) {
	if e.rest != nil {
		e.cut = true
		if !e.unsafe {
			a.lose(e)
		}
	}
	e.release()
}

// Again implements invoke.Calls.
func (a *Answers) Again() error {
	for _, e := range a.list {
		if e.unsafe && e.lost {
			return fault.New(fault.Diverged, "call", "the handler had sent "+e.asked.name+
				", whose answer was not kept, and is not run again after a conflict")
		}
	}
	a.next, a.diverged = 0, nil
	return nil
}

// Counts implements invoke.Calls: the attempt counts if it has made all calls that
// an attempt before it made and that may have changed something.
func (a *Answers) Counts(err error) error {
	switch made := firstUnsafe(a.list[a.next:]); {
	case a.diverged != nil:
		return a.diverged
	case err == nil && made != nil:
		return a.diverge(made, "and did not ask for it again")
	}
	return err
}

// Made implements invoke.Calls.
func (a *Answers) Made() bool { return a.made }

// Close ends all calls. It may be called again.
func (a *Answers) Close() {
	a.drop(0)
	a.share.Give()
}
