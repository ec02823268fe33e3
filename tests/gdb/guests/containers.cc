/* SPDX-License-Identifier: MIT */
/* Containers of the standard library, and functions that a debugger's user may call with strings. */
#include <map>
#include <memory>
#include <string>
#include <vector>

struct Account {
    std::string owner;
    long balance = 0;
    std::vector<int> moves;
};

static std::map<std::string, Account> accounts;
static volatile long letters;

__attribute__((noinline)) long count_letters(const char *text)
{
    long count = 0;
    while (text[count])
        count++;
    letters += count;
    return count;
}

__attribute__((noinline)) static void deposit(Account &account, int amount)
{
    account.balance += amount; /* mark: deposit */
    account.moves.push_back(amount);
}

__attribute__((noinline)) static void done() { letters++; /* mark: done */ }

int main()
{
    std::unique_ptr<Account> nobody;
    for (int i = 0; i < 6; i++) {
        Account &account = accounts["user" + std::to_string(i % 2)];
        account.owner = "owner";
        deposit(account, i);
    }
    count_letters("once");
    done();
    return nobody ? 1 : 0;
}
