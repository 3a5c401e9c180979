package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// maxNearQueries is the size of a batch up to which names that are not known
// are answered with those that look like them: that search reads all names.
const maxNearQueries = 10

// MaxIndicators is how many indicators a batch may have.
const MaxIndicators = 1_000_000

// The memory that the indicators of groups may take: of one batch, and of all
// that one server answers at a time. Beyond that groups come in parts.
const (
	maxHeld    = 32 << 20
	maxHeldAll = 256 << 20
)

// BatchForm is how the answer to a batch is written.
type BatchForm string

// The forms, by their media types.
const (
	BatchJSON   BatchForm = "application/json"
	BatchNDJSON BatchForm = "application/x-ndjson"
	BatchCSV    BatchForm = "text/csv"
)

// Batch answers many queries from one index. Its memory does not grow with
// their number, except for what groups hold, which is limited.
type Batch struct {
	Index *directory.Index
	Ask   directory.Ask // Run sets Exact
	Form  BatchForm
	Group bool // by recipient
	Lines bool // answers name the line they belong to
	Some  bool // an input without any indicator is an error
	Most  int  // indicators; 0 is [MaxIndicators]

	// Stop makes a read of the input return that would wait for more. It is
	// called when the batch fails or is cancelled, maybe more than once.
	Stop func()
	// Progress is called now and then with the number of indicators answered.
	Progress func(int)

	counted func(lookupLabels, int)
	heldAll *atomic.Int64 // by all batches
	maxHeld int           // 0 is maxHeld
}

// IndicatorOptions says how the input is to be cut for b: into pieces whose
// answers are of a size to be held.
func (b *Batch) IndicatorOptions(form format.IndicatorForm, column string) format.IndicatorOptions {
	o := format.IndicatorOptions{Form: form, Column: column, Chunk: 8 << 10}
	if b.Group {
		o.Chunk = 128 << 10
	}
	return o
}

// batchJob is a stretch of the input on its way to its answer.
type batchJob struct {
	chunk *format.IndicatorChunk
	exact bool
	done  chan struct{} // gets one when the answer is there

	out   []byte // answers, where they are not grouped
	part  directory.GroupPart
	sum   BatchSummary
	tally []labelCount
	err   error
}

type labelCount struct {
	lookupLabels
	n int
}

// Run answers all of in, in its order, and writes to out. The summary counts
// what was written; its end is set where that is all. The error is a
// [directory.Problem] where the input is to blame, one of the reader or the
// writer, or of ctx.
func (b *Batch) Run(ctx context.Context, in *format.IndicatorReader, out io.Writer) (BatchSummary, error) {
	if b.Index == nil {
		return BatchSummary{}, &directory.Error{Kind: directory.Unavailable, Op: "look up"}
	}
	ctx, cancel := context.WithCancel(ctx)
	var parts sync.WaitGroup
	defer parts.Wait()
	defer cancel()
	stop := b.Stop
	if stop == nil {
		stop = func() {}
	}
	watch := context.AfterFunc(ctx, stop)
	workers := runtime.GOMAXPROCS(0)
	jobs, order, free := make(chan *batchJob), make(chan *batchJob, 2*workers), make(chan *batchJob, 2*workers+2)
	parts.Go(func() {
		defer close(order)
		defer close(jobs)
		b.cut(ctx, in, free, func(j *batchJob) bool {
			return offer(ctx, order, j) && (j.chunk == nil || offer(ctx, jobs, j))
		})
	})
	for range workers {
		parts.Go(func() {
			var a directory.Answer
			for j := range jobs {
				b.work(j, &a)
				j.done <- struct{}{}
			}
		})
	}
	sink := batchSink{Batch: b, out: out, codec: b.codec(), sum: BatchSummary{Seq: b.Index.Seq()}}
	sink.w = bufio.NewWriterSize(&sink, 64<<10)
	defer sink.note(0)
	err := sink.all(ctx, order, free)
	if err == nil {
		err = sink.end()
	}
	if watch(); err != nil {
		stop() // now, and not while somebody else reads
	}
	if err != nil && sink.sent && sink.failed == nil {
		sink.interrupt(err)
	}
	return sink.sum, err
}

func offer[T any](ctx context.Context, to chan<- T, v T) bool {
	select {
	case to <- v:
		return true
	case <-ctx.Done():
		return false
	}
}

// cut cuts the input into jobs. The last one has an error and no chunk, unless
// the input came to its end.
func (b *Batch) cut(ctx context.Context, in *format.IndicatorReader, free chan *batchJob, send func(*batchJob) bool) {
	next := func() *batchJob {
		j := &batchJob{done: make(chan struct{}, 1)}
		select {
		case j = <-free:
		default:
		}
		j.chunk, j.err = in.Next()
		j.exact = true
		return j
	}
	j := next()
	for first := true; j.err == nil; first = false {
		after := next()
		if first && after.err == io.EOF {
			j.exact = !few(j.chunk)
		}
		if !send(j) {
			return
		}
		j = after
	}
	if j.err != io.EOF {
		send(j)
	}
}

// few reports whether a chunk has so few indicators that names may be searched.
func few(c *format.IndicatorChunk) bool {
	n := 0
	for range c.All() {
		if n++; n > maxNearQueries {
			return false
		}
	}
	return true
}

// work answers what a chunk holds.
func (b *Batch) work(j *batchJob, a *directory.Answer) {
	j.out, j.sum, j.tally, j.err = j.out[:0], BatchSummary{Exact: j.exact}, j.tally[:0], nil
	j.part.Reset()
	codec, ask := b.codec(), b.Ask
	ask.Exact = j.exact
	for in, err := range j.chunk.All() {
		if err != nil {
			j.err = err
			return
		}
		if in.Problem != nil {
			j.sum.Count++
			j.sum.Unavailable++
			if b.Group {
				j.part.AddUnread(directory.Unread{Line: in.Line, Text: in.Text, Problem: *in.Problem})
			} else {
				j.out = codec.unread(j.out, in, b.Index.Seq())
			}
			continue
		}
		b.Index.Lookup(in.Query, ask, a)
		j.sum.answered(a)
		j.count(a)
		if b.Group {
			j.part.Add(a)
		} else {
			j.out = codec.answer(j.out, a, in.Line)
		}
	}
}

// count notes an answer for the metrics. Most are like the one before.
func (j *batchJob) count(a *directory.Answer) {
	last := len(j.tally) - 1
	if last < 0 || j.tally[last].kind != a.Query.Kind || j.tally[last].status != a.Status {
		j.tally = append(j.tally, labelCount{lookupLabels: lookupLabels{a.Query.Kind, a.Status}})
		last++
	}
	j.tally[last].n++
}

// batchSink writes the answers in the order of the input.
type batchSink struct {
	*Batch
	out    io.Writer
	w      *bufio.Writer // to the sink itself
	codec  batchCodec
	sum    BatchSummary
	groups directory.Grouping
	held   int   // of the groups, as told to the others
	begun  bool  // there is a record in w or behind it
	sent   bool  // something went out
	failed error // of out
}

// Write implements io.Writer for what w has gathered.
func (s *batchSink) Write(p []byte) (n int, err error) {
	s.sent = true
	n, s.failed = s.out.Write(p)
	return n, s.failed
}

// all takes the answers as they come.
func (s *batchSink) all(ctx context.Context, order <-chan *batchJob, free chan<- *batchJob) error {
	for j := range order {
		if j.chunk == nil {
			return j.err
		}
		select {
		case <-j.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := s.take(j); err != nil {
			return err
		}
		select {
		case free <- j:
		default:
		}
	}
	return ctx.Err() // the cutter gave up without a word
}

func (s *batchSink) take(j *batchJob) error {
	if most := s.mostIndicators(); s.sum.Count+j.sum.Count > most {
		return directory.Problem{Code: "lookup.queries", Value: "more than " + strconv.Itoa(most), Reason: "not a number of queries for one request", Want: fmt.Sprintf("1 to %d", most)}
	}
	s.sum.add(&j.sum)
	s.sum.Exact = s.sum.Exact || j.sum.Exact
	if s.counted != nil {
		for _, t := range j.tally {
			s.counted(t.lookupLabels, t.n)
		}
	}
	if s.Progress != nil {
		s.Progress(s.sum.Count)
	}
	err := j.err
	if s.Group {
		s.groups.Merge(&j.part)
		err = errors.Join(err, s.limit())
	} else if len(j.out) > 0 {
		err = errors.Join(err, s.answers(j.out))
	}
	return err
}

func (s *batchSink) mostIndicators() int {
	if s.Most > 0 {
		return s.Most
	}
	return MaxIndicators
}

// begin writes what stands before the first record.
func (s *batchSink) begin() error {
	if s.begun {
		return nil
	}
	s.begun = true
	_, err := s.w.WriteString(s.codec.head())
	return err
}

// answers writes finished records.
func (s *batchSink) answers(records []byte) error {
	if !s.begun {
		records = records[len(s.codec.divider()):]
	}
	if err := s.begin(); err != nil {
		return err
	}
	_, err := s.w.Write(records)
	return err
}

// limit gives up what the groups hold when it is more than it may be.
func (s *batchSink) limit() error {
	s.note(s.groups.Held())
	most := maxHeld
	if s.maxHeld > 0 {
		most = s.maxHeld
	}
	if s.heldAll != nil && s.heldAll.Load() > maxHeldAll {
		most /= 32
	}
	if s.groups.Held() <= most {
		return nil
	}
	return s.drain(true)
}

// note tells the other batches how much this one holds.
func (s *batchSink) note(held int) {
	if s.heldAll != nil {
		s.heldAll.Add(int64(held - s.held))
	}
	s.held = held
}

// drain writes the groups; early, as parts of what is to come.
func (s *batchSink) drain(early bool) error {
	for g := range s.groups.Drain() {
		if g.Part == 1 && !early {
			g.Part = 0
		}
		divider := ""
		if s.begun {
			divider = s.codec.divider()
		}
		if err := s.begin(); err != nil {
			return err
		}
		if _, err := s.w.WriteString(divider); err != nil {
			return err
		}
		if err := s.codec.group(s.w, g); err != nil {
			return err
		}
	}
	s.note(0)
	return nil
}

// end writes what is left, and that it is complete.
func (s *batchSink) end() error {
	if s.Some && s.sum.Count == 0 {
		return noQueries(s.Most)
	}
	if err := s.drain(false); err != nil {
		return err
	}
	if err := s.begin(); err != nil {
		return err
	}
	s.sum.End, s.sum.Groups = true, s.groups.Len()
	if _, err := s.w.Write(s.codec.end(nil, &s.sum)); err != nil {
		return err
	}
	return s.w.Flush()
}

// interrupt writes the last words of an answer that breaks off: that it does,
// and why. They do not complete it: JSON stays without its last bracket.
func (s *batchSink) interrupt(err error) {
	sum, item := s.sum, itemOf(interruption(err), "")
	item.Pointer = nil
	sum.End, sum.Error = false, &item
	_, _ = s.w.Write(s.codec.end(nil, &sum)) // if it does not arrive, the end is missing all the same
	_ = s.w.Flush()
}

// interruption says why a batch broke off.
func interruption(err error) directory.Problem {
	if list := directory.ProblemsOf(err); len(list) > 0 {
		return list[0]
	}
	if list := directory.ProblemsOf(bodyError(err)); len(list) > 0 {
		return list[0]
	}
	return directory.Problem{Code: "server.internal", Reason: "the server could not go on"}
}
