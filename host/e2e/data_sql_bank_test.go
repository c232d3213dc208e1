package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// sqlBank is a ledger that is kept twice, in keys and in SQL: every transfer changes both
// in one request, and puts a blob.
type sqlBank struct {
	sqlServer
	accounts, money int

	mu    sync.Mutex
	fates map[string]fate // of transfers, by their ids
}

// TestBankOfKeysAndSQL kills the server over and over while clients move money between
// accounts that are in keys and in SQL, with a blob for each transfer: both always say the
// same, nothing is lost or made, each transfer that was acknowledged is in keys, in SQL and
// in blobs, and every other one in all of them or in none. Every blob has its bytes, and a
// sweep leaves no others.
func TestBankOfKeysAndSQL(t *testing.T) {
	t.Parallel()
	const clients = 6
	seed, dir := seeded(t), t.TempDir()
	b := &sqlBank{sqlServer: sqlServer{serve(t, dir)}, accounts: 5, money: 1000, fates: map[string]fate{}}
	b.begin(t)
	rounds, removed := often(5, 500), int64(0)
	for round := range rounds {
		rng := rand.New(rand.NewPCG(seed, uint64(round)))
		killed := time.AfterFunc(time.Duration(50+rng.IntN(400))*time.Millisecond, b.kill)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		parallel(clients, func(c int) {
			rng := rand.New(rand.NewPCG(seed+uint64(round), uint64(c)))
			for n := 0; b.transfer(ctx, t, fmt.Sprintf("%d.%d.%d", round, c, n), rng); n++ {
			}
		})
		cancel()
		killed.Stop()
		b.kill()
		swept := sweepBlobs(t, dir)
		b.sqlServer = sqlServer{serve(t, dir)}
		b.check(t, round, swept.Blobs)
		removed += swept.Removed
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	counts := map[fate]int{}
	for _, f := range b.fates {
		counts[f]++
	}
	t.Logf("%d transfers done, %d not, in %d rounds; %d blobs swept", counts[done], counts[dropped], rounds, removed)
	if counts[done] == 0 {
		t.Error("no transfer was done")
	}
}

// begin opens the accounts, and makes the table of transfers: with rows over many pages,
// so that transfers conflict here and there.
func (b *sqlBank) begin(t *testing.T) {
	t.Helper()
	b.deploySQL(t, "kv", []string{"accounts (id INTEGER PRIMARY KEY, balance INTEGER)", "transfers (id TEXT PRIMARY KEY, pad BLOB)"},
		"[blobs]", "[limits]", `deadline = "60s"`)
	var script []string
	for i := range b.accounts {
		script = append(script, fmt.Sprintf("setint acct/%d %d", i, b.money), fmt.Sprintf("exec INSERT INTO accounts VALUES (%d, %d)", i, b.money))
	}
	b.wants(t, "kv", script, "ok", "ok 1")
}

// receipt is what the blob of a transfer holds.
func receipt(id string) string { return "transfer-" + id }

// transfer makes a transfer, and reports whether there was an answer.
func (b *sqlBank) transfer(ctx context.Context, t *testing.T, id string, rng *rand.Rand) bool {
	from := rng.IntN(b.accounts)
	to := (from + 1 + rng.IntN(b.accounts-1)) % b.accounts
	amount := 1 + rng.IntN(50)
	aborts := rng.IntN(8) == 0
	script := []string{
		fmt.Sprintf("incr acct/%d -%d", from, amount), fmt.Sprintf("incr acct/%d %d", to, amount), "set done/" + id + " x", "blobset done/" + id + " " + receipt(id), "exec BEGIN",
		fmt.Sprintf("exec UPDATE accounts SET balance = balance - %d WHERE id = %d", amount, from),
		fmt.Sprintf("exec UPDATE accounts SET balance = balance + %d WHERE id = %d", amount, to),
		"exec INSERT INTO transfers VALUES ('" + id + "', randomblob(" + fmt.Sprint(rng.IntN(3000)) + "))", "exec COMMIT",
	}
	if aborts {
		script = append(script, []string{"abort", "status 500", "panic"}[rng.IntN(3)])
	}
	know := func(f fate) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.fates[id] = f
	}
	know(unanswered)
	a, err := b.try(ctx, "POST", "/kv/", strings.Join(script, "\n"))
	switch {
	case err != nil:
		return false
	case aborts || a.status == 503:
		know(dropped)
	case a.status == 200:
		know(done)
	default:
		t.Errorf("a transfer: %v", a)
	}
	return ctx.Err() == nil
}

// check compares what is in keys with what is in SQL and in blobs, and with what clients
// know. It reads the blobs of a round; left is how many blobs a sweep has left.
func (b *sqlBank) check(t *testing.T, round int, left int64) {
	t.Helper()
	script := []string{
		"query SELECT sum(balance) FROM accounts", "query PRAGMA integrity_check", "query SELECT group_concat(balance, ' ') FROM (SELECT balance FROM accounts ORDER BY id)",
		"query SELECT group_concat(id, ' ') FROM transfers", "blobs done/",
	}
	const others = 5
	for i := range b.accounts {
		script = append(script, fmt.Sprintf("int acct/%d", i))
	}
	got := b.says(t, "kv", script...)
	if len(got) != len(script) || got[0] != fmt.Sprint(b.accounts*b.money) || got[1] != "ok" || got[2] != strings.Join(got[others:], " ") {
		t.Errorf("the accounts are %q, want a sum of %d, and the same in keys", got, b.accounts*b.money)
		return
	}
	inSQL, inKeys, inBlobs := map[string]bool{}, map[string]bool{}, b.receipts(t, round, got[4])
	for id := range strings.FieldsSeq(strings.ReplaceAll(got[3], "<nil>", "")) {
		inSQL[id] = true
	}
	for _, key := range b.keys("kv") {
		if id, ok := strings.CutPrefix(key, "done/"); ok {
			inKeys[id] = true
		}
	}
	for id, f := range b.fates {
		if there := inSQL[id]; there != inKeys[id] || there != inBlobs[id] || f == done && !there || f == dropped && there {
			t.Errorf("transfer %s, of which is known %d: in SQL %v, in keys %v, in blobs %v", id, f, there, inKeys[id], inBlobs[id])
		} else if there {
			b.fates[id] = done
		} else {
			b.fates[id] = dropped
		}
	}
	if len(inSQL) != len(inKeys) || len(inSQL) != len(inBlobs) || int64(len(inBlobs)) != left {
		t.Errorf("%d transfers are in SQL, %d in keys, %d in blobs, and a sweep leaves %d blobs", len(inSQL), len(inKeys), len(inBlobs), left)
	}
}

// receipts returns the transfers that have a blob, each of which holds its receipt.
func (b *sqlBank) receipts(t *testing.T, round int, names string) map[string]bool {
	t.Helper()
	var script, want []string
	all := map[string]bool{}
	for entry := range strings.FieldsSeq(names) {
		name, digest, _ := strings.Cut(entry, "=")
		id := strings.TrimPrefix(name, "done/")
		all[id] = true
		if sum := sha256.Sum256([]byte(receipt(id))); digest != hex.EncodeToString(sum[:]) {
			t.Errorf("%s is the name of other bytes than its receipt", name)
		}
		if strings.HasPrefix(id, fmt.Sprintf("%d.", round)) {
			script, want = append(script, "blobget "+name), append(want, strconv.Quote(receipt(id)))
		}
	}
	if len(script) > 0 {
		if got := b.says(t, "kv", script...); !slices.Equal(got, want) {
			t.Errorf("the receipts are %q, want %q", got, want)
		}
	}
	return all
}
