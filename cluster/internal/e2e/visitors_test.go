package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// visitors ask copies of demo/deploy by HTTP, as users behind a load balancer do: in turn,
// and another one where one does not answer or cannot help. All that they ask for may be
// asked for twice.
type visitors struct {
	programs []string // their addresses, host:port
	turn     atomic.Uint64
	client   *http.Client
	patient  context.Context    // of all that is asked for
	hurry    context.CancelFunc // ends that
	cancel   context.CancelFunc // lets nothing more be asked for
	asking   sync.WaitGroup

	mu      sync.Mutex
	report  visits
	series  int            // of keys
	kept    map[string]int // by key, what was acknowledged last
	keys    []string       // of kept
	changed chan struct{}  // closed when something was done
}

// visits is what became of what visitors have asked for, by kind.
type visits struct {
	Done    map[string]int
	Failed  map[string]int
	Refused map[string]int // by programs that answered that they could not
	Lost    int            // notes that were kept, and are older or gone
	Slowest time.Duration  // of those that were done
	Errors  []string       // some
}

// visitTimeout is what visitors have for each thing: it is not waited for.
const visitTimeout = 30 * time.Second

// visit starts the visitors. They go on where they were, if there were some before.
func (v *visitors) visit(programs []string) {
	v.mu.Lock()
	v.programs, v.client = programs, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	v.report = visits{Done: map[string]int{}, Failed: map[string]int{}, Refused: map[string]int{}}
	if v.series++; v.kept == nil {
		v.kept, v.changed = map[string]int{}, make(chan struct{})
	}
	v.mu.Unlock()
	v.patient, v.hurry = context.WithCancel(context.Background())
	ctx, cancel := context.WithCancel(v.patient)
	v.cancel = cancel
	for i := range 4 {
		for _, ask := range []func(int, int){v.write, v.read, v.hello, v.call} {
			v.asking.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					ask(i, n)
					pauseFor(ctx, 5*time.Millisecond)
				}
			})
		}
	}
}

// leave waits for the visitors, after they have read all that was ever kept.
func (v *visitors) leave() visits {
	v.cancel()
	v.asking.Wait()
	for _, key := range v.keys {
		v.compare(key)
	}
	v.flee()
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.report
}

// flee ends the visitors at once: nobody answers any more.
func (v *visitors) flee() {
	v.hurry()
	v.asking.Wait()
	v.client.CloseIdleConnections()
}

// await waits until each kind was done so many times more.
func (v *visitors) await(ctx context.Context, more string) error {
	n, err := strconv.Atoi(more)
	if err != nil {
		return err
	}
	var before map[string]int
	for {
		v.mu.Lock()
		now, changed := map[string]int{}, v.changed
		for _, kind := range []string{"put", "get", "service", "virtual"} {
			now[kind] = v.report.Done[kind]
		}
		v.mu.Unlock()
		if before == nil {
			before = now
		}
		enough := true
		for kind := range now {
			enough = enough && now[kind] >= before[kind]+n
		}
		if enough {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// write keeps a note. Each writer has keys of its own, and takes others where it has asked
// more than once, since it does not know what became of the first time.
func (v *visitors) write(i, n int) {
	v.mu.Lock()
	key := fmt.Sprintf("%d.%d.%d", v.series, i, n/50)
	v.mu.Unlock()
	_, again, err := v.ask("put", http.MethodPut, "/notes/"+key, strconv.Itoa(n))
	v.mu.Lock()
	defer v.mu.Unlock()
	if again {
		v.series++
	}
	if err != nil {
		return
	}
	if _, known := v.kept[key]; !known {
		v.keys = append(v.keys, key)
	}
	v.kept[key] = n
}

func (v *visitors) read(i, n int) {
	v.mu.Lock()
	keys := v.keys
	v.mu.Unlock()
	if len(keys) > 0 {
		v.compare(keys[(i*7+n)%len(keys)])
	}
}

// compare compares a note with what was kept before it was asked for.
func (v *visitors) compare(key string) {
	v.mu.Lock()
	least := v.kept[key]
	v.mu.Unlock()
	text, _, err := v.ask("get", http.MethodGet, "/notes/"+key, "")
	if err != nil && !errors.Is(err, errNotThere) {
		return // it is counted
	}
	if got, wrong := strconv.Atoi(text); err != nil || wrong != nil || got < least {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.report.Lost++
		v.report.Errors = append(v.report.Errors, fmt.Sprintf("note %s is %q, %v; %d was kept before", key, text, err, least))
	}
}

func (v *visitors) hello(i, _ int) {
	_, _, _ = v.ask("service", http.MethodGet, fmt.Sprint("/hello/", i), "") // it is counted
}

func (v *visitors) call(i, n int) {
	_, _, _ = v.ask("virtual", http.MethodGet, fmt.Sprint("/visits/", i*100+n%20), "") // it is counted
}

var errNotThere = errors.New("it is not there")

// ask asks the programs in turn, until one answers, and counts what that says. It reports
// whether it has asked again.
func (v *visitors) ask(kind, method, path, body string) (answer string, again bool, err error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(v.patient, visitTimeout)
	defer cancel()
	for ; ; again = true {
		program := v.programs[v.turn.Add(1)%uint64(len(v.programs))]
		answer, err = v.askOne(ctx, method, "http://"+program+path, body)
		if err == nil || errors.Is(err, errNotThere) || ctx.Err() != nil {
			break
		}
		if errors.Is(err, errRefused) {
			v.mu.Lock()
			v.report.Refused[kind]++
			v.report.remark(began, method, path, err)
			v.mu.Unlock()
		}
		pauseFor(ctx, 10*time.Millisecond)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		v.report.Failed[kind]++
		v.report.remark(began, method, path, err)
		return "", again, err
	}
	v.report.Done[kind]++
	v.report.Slowest = max(v.report.Slowest, time.Since(began))
	close(v.changed)
	v.changed = make(chan struct{})
	return answer, again, nil
}

// remark keeps the first errors.
func (r *visits) remark(began time.Time, method, path string, err error) {
	if len(r.Errors) < 20 {
		r.Errors = append(r.Errors, fmt.Sprintf("%s %s %s, after %v: %v", began.Format("15:04:05.000"), method, path, time.Since(began).Round(time.Millisecond), err))
	}
}

// errRefused is for a program that has answered that it could not.
var errRefused = errors.New("refused")

func (v *visitors) askOne(ctx context.Context, method, url, body string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	reply, err := v.client.Do(request)
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	switch {
	case err != nil:
		return "", err
	case reply.StatusCode == http.StatusNotFound:
		return "", fmt.Errorf("%w: %s", errNotThere, text)
	case reply.StatusCode != http.StatusOK:
		return "", fmt.Errorf("%w: %s says %s: %s", errRefused, url, reply.Status, text)
	}
	return string(text), nil
}

// probe asks again and again, until the answer is 200, and returns how long that took.
func probe(ctx context.Context, url string) (time.Duration, error) {
	began := time.Now()
	client := &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: time.Second}).DialContext, DisableKeepAlives: true}, Timeout: 3 * time.Second}
	for last := ""; ; {
		reply, err := client.Get(url)
		if err == nil {
			text, _ := io.ReadAll(reply.Body)
			_ = reply.Body.Close()
			if reply.StatusCode == http.StatusOK {
				return time.Since(began), nil
			}
			last = string(text)
		}
		if !pauseFor(ctx, 50*time.Millisecond) {
			return 0, fmt.Errorf("%s: %w; it said last: %s", url, context.Cause(ctx), last)
		}
	}
}

// pauseFor reports whether the time has passed before ctx ended.
func pauseFor(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
