#!/bin/bash
# The whole story of the main job, on real Postfix, Dovecot and recryptd: the steps of contrib/demo.sh, each a test.
. "$(dirname "$0")/tap.sh"
. "$SRC/contrib/demo/world.sh"
. "$SRC/contrib/demo/story.sh"
if [ "$(id -u)" != 0 ]; then
  skip "the story" "Postfix and Dovecot need root to start"
  tap_done
fi
ok "two domains start" world_start "$T"
for step in $story_steps; do
  title=story_title_$step
  ok "${!title}" "story_$step"
done
tap_done
