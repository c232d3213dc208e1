// The command river measures River on Postgres with the work of BenchmarkQueue: jobs
// are sent by 64 clients, one in a transaction or a hundred, and each is handled in a
// transaction that adds to a row and completes the job. DATABASE_URL names an empty
// database.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// args is a job: a number.
type args struct {
	N int `json:"n"`
}

func (args) Kind() string { return "count" }

// worker handles jobs as the guest of BenchmarkQueue does.
type worker struct {
	river.WorkerDefaults[args]
	pool *pgxpool.Pool
	done *atomic.Int64
}

func (w *worker) Work(ctx context.Context, job *river.Job[args]) error {
	tx, err := w.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := tx.Exec(ctx, "UPDATE counts SET n = n + 1 WHERE id = $1", job.Args.N%1000); err != nil {
		return err
	}
	if _, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	w.done.Add(1)
	return nil
}

func main() {
	jobs := flag.Int("jobs", 50_000, "of each row")
	workers := flag.Int("workers", 100, "that handle at a time")
	flag.Parse()
	ctx := context.Background()
	for _, together := range []int{1, 100} {
		if err := measure(ctx, *jobs, together, *workers); err != nil {
			log.Fatal(err)
		}
	}
}

// measure sends jobs, so many in a transaction, and waits until all are handled.
func measure(ctx context.Context, jobs, together, workers int) error {
	cfg, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	cfg.MaxConns = int32(workers + 64 + 10)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, "DROP TABLE IF EXISTS counts; CREATE TABLE counts (id int PRIMARY KEY, n bigint NOT NULL); INSERT INTO counts SELECT i, 0 FROM generate_series(0, 999) i"); err != nil {
		return err
	}
	var done atomic.Int64
	all := river.NewWorkers()
	river.AddWorker(all, &worker{pool: pool, done: &done})
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		Workers: all, FetchCooldown: river.FetchCooldownMin, FetchPollInterval: 100 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	begin := time.Now()
	if err := send(ctx, pool, client, jobs, together); err != nil {
		return err
	}
	sent := time.Since(begin)
	for done.Load() < int64(jobs) {
		time.Sleep(time.Millisecond)
	}
	took := time.Since(begin)
	if err := client.Stop(ctx); err != nil {
		return err
	}
	var n int64
	if err := pool.QueryRow(ctx, "SELECT sum(n) FROM counts").Scan(&n); err != nil {
		return err
	}
	if n != int64(jobs) {
		return fmt.Errorf("%d of %d jobs were handled once", n, jobs)
	}
	fmt.Printf("river, %d a transaction: %d jobs, %.0f sent/s, %.0f sent and handled/s\n",
		together, jobs, float64(jobs)/sent.Seconds(), float64(jobs)/took.Seconds())
	return nil
}

func send(ctx context.Context, pool *pgxpool.Pool, client *river.Client[pgx.Tx], jobs, together int) error {
	var next atomic.Int64
	var producers sync.WaitGroup
	failed := make(chan error, 64)
	for range 64 {
		producers.Go(func() {
			for {
				from := next.Add(int64(together)) - int64(together)
				if from >= int64(jobs) {
					return
				}
				batch := make([]river.InsertManyParams, 0, together)
				for n := from; n < min(from+int64(together), int64(jobs)); n++ {
					batch = append(batch, river.InsertManyParams{Args: args{N: int(n)}})
				}
				if _, err := client.InsertManyFast(ctx, batch); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	producers.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}
