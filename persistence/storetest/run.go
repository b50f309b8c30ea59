package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/troupe-go/troupe/persistence"
)

// Option adds to what [Run] tests.
type Option interface{ apply(*suite) }

type option func(*suite)

func (f option) apply(s *suite) { f(s) }

// Restart also tests what a store keeps when it is closed and opened again. The
// function does so with the store that it gets, and returns it.
func Restart(reopen func(t *testing.T, s persistence.Store) persistence.Store) Option {
	return option(func(s *suite) { s.reopen = reopen })
}

// Within runs each test by way of a function, such as [synctest.Test], in whose bubble
// the store does not wait for real time.
func Within(run func(*testing.T, func(*testing.T))) Option {
	return option(func(s *suite) { s.within = run })
}

// Run tests what open returns: a new, empty store each time. Run closes it.
func Run(t *testing.T, open func(t *testing.T) persistence.Store, options ...Option) {
	s := suite{open: open, within: func(t *testing.T, test func(*testing.T)) { test(t) }}
	for _, o := range options {
		o.apply(&s)
	}
	tests := []struct {
		name string
		test func(*fixture)
	}{
		{"MissIsErrNotFound", missIsErrNotFound},
		{"RecordComesBackAsWritten", recordComesBackAsWritten},
		{"AnyKeyAndValueIsKept", anyKeyAndValueIsKept},
		{"RecordBelongsToWhoeverGotIt", recordBelongsToWhoeverGotIt},
		{"OverlongKeyOrMetadataIsInvalid", overlongKeyOrMetadataIsInvalid},
		{"EndedContextEndsEverything", endedContextEndsEverything},

		{"ListIsInOrderOfBytes", listIsInOrderOfBytes},
		{"ListFiltersByPrefixAndSuffix", listFiltersByPrefixAndSuffix},
		{"ListPagesWithOffsetAndLimit", listPagesWithOffsetAndLimit},
		{"ListPagesWithCursor", listPagesWithCursor},
		{"ListOfNothingIsEmpty", listOfNothingIsEmpty},
		{"ListWithoutValues", listWithoutValues},
		{"ListIsOfOneRevision", listIsOfOneRevision},
		{"NegativeQueryIsInvalid", negativeQueryIsInvalid},

		{"RevisionsGrow", revisionsGrow},
		{"TransactionHappensWholeOrNot", transactionHappensWholeOrNot},
		{"CompareAndSwapNeedsTheRevision", compareAndSwapNeedsTheRevision},
		{"CompareAndSwapOfNothingNeedsNothing", compareAndSwapOfNothingNeedsNothing},
		{"ConditionsAloneChangeNothing", conditionsAloneChangeNothing},
		{"DeletingNothingChangesNothing", deletingNothingChangesNothing},
		{"TwoChangesOfAKeyAreInvalid", twoChangesOfAKeyAreInvalid},
		{"CommitKeepsNothingOfItsArgument", commitKeepsNothingOfItsArgument},
		{"OneOfManyWinsACompareAndSwap", oneOfManyWinsACompareAndSwap},

		{"RecordExpires", recordExpires},
		{"OverwritingEndsATimeToLive", overwritingEndsATimeToLive},
		{"TimeToLiveIsBounded", timeToLiveIsBounded},

		{"WatchGivesHistoryThenWhatComes", watchGivesHistoryThenWhatComes},
		{"WatchGivesWhatAPrefixConcerns", watchGivesWhatAPrefixConcerns},
		{"WatchKeepsTransactionsTogether", watchKeepsTransactionsTogether},
		{"WatchSaysWhatChanged", watchSaysWhatChanged},
		{"WatchResumes", watchResumes},
		{"WatchUnderLoadMissesNothing", watchUnderLoadMissesNothing},
		{"WatchGoesOnWhereCurrentEnds", watchGoesOnWhereCurrentEnds},
		{"SlowWatcherHoldsUpNobody", slowWatcherHoldsUpNobody},
		{"WatchEndsWithItsContext", watchEndsWithItsContext},

		{"NamespacesAreApart", namespacesAreApart},
		{"HistoriesAreLinearizable", historiesAreLinearizable},
		{"ClosedStoreSaysSo", closedStoreSaysSo},
		{"RestartKeepsEverything", restartKeepsEverything},
		{"WatchGoesOnOverARestart", watchGoesOnOverARestart},
		{"WatchUnderLoadGoesOnOverRestarts", watchUnderLoadGoesOnOverRestarts},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s.within(t, func(t *testing.T) {
				f := &fixture{T: t, suite: s, Store: open(t)}
				t.Cleanup(func() {
					if err := f.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
				})
				test.test(f)
			})
		})
	}
}

type suite struct {
	within func(*testing.T, func(*testing.T))
	open   func(*testing.T) persistence.Store
	reopen func(*testing.T, persistence.Store) persistence.Store
}

// fixture is a store under test.
type fixture struct {
	*testing.T
	persistence.Store
	suite suite
}

func (f *fixture) put(key, value string, options ...persistence.WriteOption) persistence.Revision {
	f.Helper()
	r, err := persistence.Put(f.Context(), f, key, []byte(value), options...)
	if err != nil {
		f.Fatalf("Put(%.50q): %v", key, err)
	}
	return r
}

func (f *fixture) get(key string) persistence.Record {
	f.Helper()
	r, err := f.Get(f.Context(), key)
	if err != nil {
		f.Fatalf("Get(%.50q): %v", key, err)
	}
	return r
}

func (f *fixture) list(q persistence.Query) []persistence.Record {
	f.Helper()
	records, err := f.List(f.Context(), q)
	if err != nil {
		f.Fatalf("List(%+v): %v", q, err)
	}
	return records
}

func (f *fixture) commit(t persistence.Transaction) persistence.Revision {
	f.Helper()
	r, err := f.Commit(f.Context(), t)
	if err != nil {
		f.Fatalf("Commit(%+v): %v", t, err)
	}
	return r
}

func (f *fixture) wantNone(key string) {
	f.Helper()
	if r, err := f.Get(f.Context(), key); !errors.Is(err, persistence.ErrNotFound) {
		f.Errorf("Get(%q) = %+v, %v, want ErrNotFound", key, r, err)
	}
}

// watched takes changes from a watch that has begun.
type watched struct {
	f       *fixture
	changes chan persistence.Changes
	err     chan error
	stop    context.CancelFunc
}

// watch begins to watch; a goroutine waits for changes until the test ends.
func (f *fixture) watch(prefix string, after persistence.Revision) *watched {
	ctx, stop := context.WithCancel(f.Context())
	w := &watched{f: f, changes: make(chan persistence.Changes), err: make(chan error, 1), stop: stop}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for changes, err := range f.Watch(ctx, prefix, after) {
			if err != nil {
				w.err <- err
				return
			}
			select {
			case w.changes <- changes:
			case <-ctx.Done():
			}
		}
		w.err <- errors.New("the watch ended without an error")
	}()
	f.Cleanup(func() {
		stop()
		<-done
	})
	return w
}

// next returns the next transaction.
func (w *watched) next() persistence.Changes {
	w.f.Helper()
	select {
	case c := <-w.changes:
		return c
	case err := <-w.err:
		w.f.Fatalf("the watch ended: %v", err)
		return persistence.Changes{}
	}
}

func keysOf(records []persistence.Record) []string {
	keys := []string{}
	for _, r := range records {
		keys = append(keys, r.Key)
	}
	return keys
}

func numbered(prefix string, n int) string { return fmt.Sprintf("%s%04d", prefix, n) }
