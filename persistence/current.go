package persistence

import "context"

// Latest returns the present revision of a store. To watch what comes after a list, use
// [Current].
func Latest(ctx context.Context, s Store) (Revision, error) {
	return s.Commit(ctx, Transaction{})
}

// Current returns the records under a prefix, in the order of their keys, and the
// revision after which to watch them: what [Store.Watch] yields then, put upon the records,
// is how they go on, without a gap. A record that came and went while they were read may
// be seen to do so.
func Current(ctx context.Context, s Store, prefix string) ([]Record, Revision, error) {
	after, err := Latest(ctx, s)
	if err != nil {
		return nil, 0, err
	}
	records, err := s.List(ctx, Query{Prefix: prefix})
	if err != nil {
		return nil, 0, err
	}
	for _, r := range records {
		after = max(after, r.Revision)
	}
	return records, after, nil
}
