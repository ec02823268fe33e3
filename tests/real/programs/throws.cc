// Containers, strings, algorithms, exceptions and iostreams: compiled and run by the case.
#include <algorithm>
#include <iostream>
#include <map>
#include <numeric>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <vector>

struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

static int risky(int depth, int n)
{
    std::vector<int> held(static_cast<size_t>(depth), n);
    if (depth == 0) {
        if (n % 3 == 0)
            throw Failure("failure " + std::to_string(n));
        if (n % 3 == 1)
            (void)held.at(7);
        return n;
    }
    return risky(depth - 1, n) + std::accumulate(held.begin(), held.end(), 0);
}

int main()
{
    std::map<std::string, int> kinds;
    long sum = 0;
    for (int n = 0; n < 600; n++) {
        try {
            sum += risky(n % 40, n);
        } catch (const Failure &failure) {
            kinds[std::string(failure.what()).substr(0, 9)]++;
        } catch (const std::out_of_range &) {
            kinds["range"]++;
        }
    }
    std::ostringstream text;
    for (const auto &[kind, count] : kinds)
        text << kind << '=' << count << ';';
    std::cout << sum << ' ' << text.str() << '\n';
    std::regex pattern("([a-z]+)=([0-9]+)");
    std::cout << std::regex_replace(text.str(), pattern, "$2:$1") << std::endl;
    return 0;
}
