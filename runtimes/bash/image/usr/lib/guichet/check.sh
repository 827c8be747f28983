# Reads scripts without running them: exits with 1 if one is not bash, and says where.
#
# A script may turn `extglob` on, which changes what is a mistake: what is right with it is right.
bad=0
for script; do
    bash -n "$script" 2>/dev/null || bash -O extglob -n "$script" 2>/dev/null || bad=1
    bash -O extglob -n "$script"
done
exit "$bad"
