package correlate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOfAnIncidentThatComesBackTheNewestPostsAreKept(t *testing.T) {
	begin := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	track, shown := &tracked{revision: 1}, &Incident{}
	for n := range 3 * maxPosts {
		track.noted(shown, begin.Add(time.Duration(n)*time.Minute), EventOpened)
	}
	track.noted(shown, begin.Add(time.Hour*24), EventUpdated) // Further members are no news.
	require.Len(t, shown.Posts, maxPosts)
	require.Equal(t, begin.Add((3*maxPosts-1)*time.Minute), shown.Posts[maxPosts-1].Time)
	require.Empty(t, shown.Posts[0].Cause, "there was no cause")
}
