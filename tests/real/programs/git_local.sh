# A repository with branches, merges, a rebase, packing, a clone and a check; dates and names fixed, so hashes are.
set -e
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org
export GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z' GIT_CONFIG_NOSYSTEM=1
git init -q -b main repository
cd repository
git config gc.auto 0
mkdir directory
for i in 1 2 3 4 5 6; do
    seq $((i * 10)) > directory/file$i
    cp /usr/include/std*.h .
    echo "line $i" >> log
    git add .
    git commit -q -m "commit $i"
done
git checkout -q -b side HEAD~3
echo other > other
git add other
git commit -q -m side
git checkout -q main
git merge -q --no-edit side
git checkout -q -b third HEAD~1
sed -i 's/^1/one/' directory/file6
git commit -q -a -m third
git rebase -q main
git log --oneline --graph --all --stat | head -60
git diff main third
git blame -s log | head -3
git stash list
git tag -a v1 -m tag
git gc -q
git fsck 2>&1
git clone -q . ../clone
cd ../clone
git log -1 --format='%H %T'
git describe --always
git grep -c define | sort | head -5
git archive HEAD | tar tf - | sort | md5sum
